"""Time DGCNN, in which no edge is built, against the plain form in which every edge is: forward and backward.

    python tools/benchmarks/dgcnn_speed.py --threads 1 --clock cpu
    python tools/benchmarks/dgcnn_speed.py --device cuda --batch 40 --k 15

Both have the same weights and run in turn in one process, in training mode, so that other load on the machine falls on
both. ``--clock cpu`` counts the time of the process over all its threads. Memory is what one forward and backward pass
takes at its peak beside weights and input: exact on a GPU; on a CPU the growth of the process (Linux), each side in a
process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2] / 'tests' / 'reference')]
from _timing import peak_gib  # noqa: E402
from dgcnn import EveryEdge  # noqa: E402

from mmpt.models.encoders import DGCNN  # noqa: E402


def sides(args: argparse.Namespace) -> dict:
    """Name to a function that goes forward and backward once."""
    torch.manual_seed(0)
    ours = DGCNN(k=args.k).to(args.device).train()
    plain = EveryEdge(k=args.k).to(args.device).train().take(ours)
    points = torch.nn.functional.normalize(torch.randn(args.batch, args.points, 3), dim=2).to(args.device)
    grad = torch.randn(args.batch, args.points, ours.dim, device=args.device)

    def run_ours() -> None:
        ours.zero_grad()
        ours(points).patch.backward(grad)

    def run_plain() -> None:
        plain.zero_grad()
        plain(points.mT).mT.backward(grad)

    return {'ours': run_ours, 'plain': run_plain}


def grown(args: argparse.Namespace, name: str) -> float:
    """GiB."""
    if args.device == 'cpu':
        tail = [f'--{key}={getattr(args, key)}' for key in ('batch', 'points', 'k', 'threads')]
        command = [sys.executable, __file__, *tail, f'--memory-of={name}']
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    run = sides(args)[name]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return (torch.cuda.max_memory_allocated() - before) / 2**30


def main() -> None:
    """Print the rounds, the median ratio and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch', type=int, default=8, help='clouds')
    parser.add_argument('--points', type=int, default=2048)
    parser.add_argument('--k', type=int, default=20)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--clock', choices=('wall', 'cpu'), default='wall')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--memory-of', choices=('ours', 'plain'), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        run = sides(args)[args.memory_of]
        before = peak_gib()
        run()
        print(peak_gib() - before)
        return
    clock = time.process_time if args.clock == 'cpu' else time.perf_counter
    runs, ratios = sides(args), []
    for turn in range(args.rounds + 1):
        seconds = {}
        for name, run in runs.items():
            begin = clock()
            run()
            if args.device != 'cpu':
                torch.cuda.synchronize()
            seconds[name] = clock() - begin
        if turn:  # the first one warms up
            ratios.append(seconds['plain'] / seconds['ours'])
            rates = ', '.join(f'{name} {args.batch / taken:.2f}' for name, taken in seconds.items())
            print(f'samples/s: {rates}; ratio {ratios[-1]:.2f}', flush=True)
    print(
        f'{args.batch} x {args.points} points, k {args.k}, {args.device}: {statistics.median(ratios):.2f} times as fast'
    )
    del runs
    memory = {name: grown(args, name) for name in ('ours', 'plain')}
    print('memory, GiB: ' + ', '.join(f'{name} {value:.2f}' for name, value in memory.items()))


if __name__ == '__main__':
    main()
