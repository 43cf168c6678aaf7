"""Time encoders without gradient: latency of one cloud, throughput of batches; and what starting Python costs.

    python tools/benchmarks/inference.py --threads 2
    python tools/benchmarks/inference.py --encoders point_mae classifier --points 1024 --json inference.json
    python tools/benchmarks/inference.py --encoders --rounds 11                 the start alone
    python tools/benchmarks/inference.py --smoke                                too short to say anything

Encoders are built by ``mmpt.load_encoder`` from the name of a config, with random weights, and the classifier by
``mmpt.get_model``; the forward pass starts from points, so cutting patches is in it. Where there is a plain form
(tests/reference) it has the same weights and takes turns with ours in one process. How turns are judged by the load of
other processes and what memory means stands in tools/benchmarks/step.py. A measurement that takes less than
``--least`` seconds is repeated until it does not. DGCNN compares all points of a cloud with all: 32 clouds of 8,192
points are half a minute for a core, so its table takes the longest.

The start: fresh processes in turn, files in the page cache; ``import torch`` is what nothing here can save.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools' / 'benchmarks'), str(ROOT / 'tests' / 'reference')]

from _timing import (  # noqa: E402
    add_timing_options,
    allocator,
    figures,
    in_own_process,
    peak_gib,
    ratio,
    take_turns,
    typical,
    write_record,
)
from dgcnn import EveryEdge  # noqa: E402
from plain import PatchNet, Trunk, cut_patches, take_weights  # noqa: E402

from mmpt.apis import get_model, load_encoder  # noqa: E402
from mmpt.utils.errors import ConfigError, run  # noqa: E402

ENCODERS = {
    'point_mae': 'point_mae/pretrain_shapenet',
    'point_bert': 'point_bert/pretrain_shapenet',
    'recon': 'recon/pretrain_shapenet',
    'point_m2ae': 'point_m2ae/pretrain_shapenet',
    'mmpt': 'mmpt/pretrain_shapenet',
    'crosspoint': 'crosspoint/pretrain_shapenet',
    'classifier': 'classification/finetune_modelnet40_1k',
}
#: Points of a batch above which the plain form of DGCNN, which holds all distances and edges, is left out.
MOST_PLAIN_POINTS = 32 * 1024
STARTS = {
    'nothing': ['-c', 'pass'],
    'import torch': ['-c', 'import torch'],
    'import mmpt': ['-c', 'import mmpt'],
    'tools/train.py --help': ['tools/train.py', '--help'],
}


class PlainPatchEncoder(nn.Module):
    """The plain form of a point transformer without class token: (B, N, 3) -> (B, G, C)."""

    def __init__(self, ours: nn.Module) -> None:
        super().__init__()
        cfg = ours.cfg
        self.groups, self.size = cfg['num_groups'], cfg['group_size']
        trunk = Trunk(cfg['dim'], cfg['depth'], cfg['num_heads'], cfg['drop_path'])
        self.position, self.blocks, self.norm = trunk.position, trunk.blocks, trunk.norm
        self.patch_embed = PatchNet(cfg['dim'], cfg.get('patch_widths', (128, 256, 512)))
        take_weights(self, ours)

    def forward(self, points: Tensor) -> Tensor:
        """All patches are visible."""
        patches, centres = cut_patches(points, self.groups, self.size)
        return Trunk.forward(self, self.patch_embed(patches), centres)


def sides(name: str, batch: int, points: int) -> dict[str, Callable[[], object]]:
    """Forward passes by contestant: ``ours``, and ``plain`` where there is a plain form.

    Args:
        name (str): of ENCODERS.
        batch (int): clouds.
        points (int): of a cloud.
    """
    torch.manual_seed(0)
    clouds = nn.functional.normalize(torch.randn(batch, points, 3), dim=2)
    if name == 'classifier':
        classifier = get_model(ENCODERS[name])
        return {'ours': partial(_forward, classifier, {'points': clouds})}
    with contextlib.redirect_stdout(io.StringIO()):  # it says that weights are random
        ours = load_encoder(ENCODERS[name])
    runs = {'ours': partial(_forward, ours, clouds)}
    if name == 'point_mae':
        runs['plain'] = partial(_forward, PlainPatchEncoder(ours).eval(), clouds)
    if name == 'crosspoint' and batch * points <= MOST_PLAIN_POINTS:
        plain = EveryEdge(dim=ours.dim, k=ours.cfg['k'], edge_widths=ours.cfg['edge_widths']).take(ours).eval()
        runs['plain'] = partial(_forward, plain, clouds.mT)
    return runs


@torch.inference_mode()
def _forward(model: nn.Module, inputs: Any) -> Any:
    return model(inputs)


def peak_of(name: str, batch: int, points: int, threads: int) -> float:
    """GiB that this process holds at most in two forward passes of ours."""
    torch.set_num_threads(threads)
    ours = sides(name, batch, points)['ours']
    for _ in range(2):
        ours()
    return peak_gib()


def measure(name: str, batch: int, points: int, args: argparse.Namespace) -> dict[str, Any]:
    """One row.

    Args:
        name (str): of ENCODERS.
        batch (int): clouds.
        points (int): of a cloud.
        args (Namespace): of the command line.

    Returns:
        dict: ``encoder``, ``config``, ``batch``, ``points``; :func:`figures` of the turns; ``ratio``, median, smallest
        and largest over turns, of the plain form's seconds over ours.
    """
    runs = sides(name, batch, points)
    found = figures(take_turns(runs, args, args.least), args, batch)
    row = {'encoder': name, 'config': ENCODERS[name], 'batch': batch, 'points': points, **found}
    if 'plain' in runs:
        row['ratio'] = ratio(found['seconds'], 'plain', 'ours')
    return row


def show(row: dict[str, Any]) -> None:
    """One line for one encoder at one size."""
    median, least, most = (1000 * value for value in typical(row['seconds']['ours']))
    print(f'{row["encoder"]:12} {row["batch"]:5} {row["points"]:7,} ', end='')
    print(f'{median:9.1f} ({least:.1f} to {most:.1f})'.ljust(32), end='')
    print(f'{row["samples_per_second"]["ours"]:8.1f} {row.get("peak_gib", float("nan")):6.2f}', end='')
    print(f'   {row["discarded"]} turns discarded{_warning(row)}', end='')
    plain = '; the plain form takes {:.2f} times as long ({:.2f} to {:.2f})'
    print(plain.format(*row['ratio']) if 'ratio' in row else '', flush=True)


def _warning(row: dict[str, Any]) -> str:
    return '; DISTURBED, not to be quoted' if row['disturbed'] else ''


def starts(args: argparse.Namespace) -> dict[str, Any]:
    """:func:`figures` of fresh Python processes by what they do."""
    runs = {
        name: partial(subprocess.run, [sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        for name, command in STARTS.items()
    }
    found = figures(take_turns(runs, args), args)
    print(f'\na fresh process, s   ({found["discarded"]} turns discarded{_warning(found)})')
    for name, seconds in found['seconds'].items():
        print('{:22} {:6.2f} ({:.2f} to {:.2f})'.format(name, *typical(seconds)))
    return found


def main(argv: list[str] | None = None) -> None:
    """Measure what was asked for and print it."""
    args = parse_args(argv)
    MMLogger.get_current_instance().setLevel('WARNING')
    cases = [(name, batch, points) for name in args.encoders for points in args.points for batch in args.batches]
    memory = {}
    # In forks, which must come before torch starts its threads.
    for case in cases if Path('/proc/self/status').is_file() else ():
        memory[case] = {'peak_gib': in_own_process(partial(peak_of, *case, args.threads))}
    torch.set_num_threads(args.threads)
    print(f'torch {torch.__version__}, {args.threads} thread(s), {args.clock} clock; allocator: {allocator()}')
    if cases:
        print('encoder      batch  points   ms of a batch                 samples/s    GiB')
    rows = []
    for case in cases:
        rows.append({**measure(*case, args), **memory.get(case, {})})
        show(rows[-1])
    write_record(args, encoders=rows, starts=starts(args))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--encoders', nargs='*', default=list(ENCODERS), metavar='NAME', help=', '.join(ENCODERS))
    parser.add_argument('--points', nargs='+', type=int, default=[1024, 8192])
    parser.add_argument('--batches', nargs='+', type=int, default=[1, 32])
    parser.add_argument('--least', type=float, default=0.5, help='seconds that a measurement lasts')
    add_timing_options(parser, rounds=7)
    parser.add_argument('--smoke', action='store_true', help='1 and 2 clouds of 1,024 points, 1 turn')
    args = parser.parse_args(argv)
    unknown = sorted(set(args.encoders) - set(ENCODERS))
    if unknown:
        raise ConfigError(f'--encoders {" ".join(unknown)}: no such encoder; there are {", ".join(ENCODERS)}.')
    if args.smoke:
        args.points, args.batches, args.rounds, args.least = [1024], [1, 2], 1, 0.0
    args.command = shlex.join(['python', 'tools/benchmarks/inference.py', *(sys.argv[1:] if argv is None else argv)])
    return args


if __name__ == '__main__':
    sys.exit(run(main))
