"""Time the training step of every method at the size of its paper, beside plain forms of the same arithmetic.

    python tools/benchmarks/step.py --threads 2                                 default allocator
    bash -c 'source tools/_cpu_env.sh; python tools/benchmarks/step.py --threads 2'         tuned allocator
    python tools/benchmarks/step.py --methods point_mae mmpt_clouds --rounds 11 --json step.json
    python tools/benchmarks/step.py --smoke                     every method, too short to say anything

A step is what training calls: the batch prepared, losses, backward pass, gradients clipped, parameters updated. Loading
is not in it, nor are hooks. Clouds are random points on ellipsoids, pictures are random, teachers and frozen tokenizers
have random weights: nothing is downloaded.

Beside ours runs a plain form where there is one: every patch embedded, every tensor built, torch's own optimiser
(tests/reference; tests/test_models/test_plain_forms.py holds losses and gradients together). Methods without one run
beside the unit, our step of Point-MAE on as many clouds. Both take turns in one process; a turn during which other
processes used more than ``--max-others`` processors is discarded. Where next to none is quiet, all are shown with a
word that says so: such figures are not to be quoted.

Memory is what a process that takes three such steps and does nothing else holds at most, torch included. ``of the
ceiling`` is the share of the speed that a product of 2048 x 2048 matrices reaches in the same process, products and
convolutions counted by torch (what ours saves on the way back through a maximum is in no count). Parts are those of
ours; they are timed in steps of their own.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent))

from _step_methods import METHODS, contestants, plain_run, training  # noqa: E402
from _step_parts import parts_of  # noqa: E402
from _timing import (  # noqa: E402
    CLOCKS,
    add_timing_options,
    allocator,
    figures,
    in_own_process,
    matmul_gflops,
    peak_gib,
    ratio,
    take_turns,
    typical,
    write_record,
)

from mmpt.utils.errors import ConfigError, run  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402

_NAMES = {'ours': 'ours', 'plain': 'plain form', 'unit': 'Point-MAE, ours'}


def measure(name: str, args: argparse.Namespace, memory: dict[str, float]) -> dict[str, Any]:
    """One row.

    Args:
        name (str): of METHODS.
        args (Namespace): of the command line.
        memory (dict[str, float]): GiB by contestant.

    Returns:
        dict: ``config``, ``batch``, ``points``, ``parameters`` that are trained; :func:`figures` of the turns; by
        contestant ``gflop``, ``ceiling_share`` of ``ceiling_gflops``, ``peak_gib``; ``ratio``, median, smallest and
        largest over turns, of the plain form's seconds over ours, or of ours over the unit's; ``parts``, seconds.
    """
    clock = CLOCKS[args.clock]
    with training(name, args.batch) as ours, contestants(ours) as runs:
        # Before and behind the turns: the clock rate of a processor changes within minutes.
        ceiling = matmul_gflops(clock)
        batch = len(ours.batch['inputs']['points'])
        timed = figures(take_turns(runs, args), args, batch)
        ceiling = max(ceiling, matmul_gflops(clock))
        gflop = {side: _gflop(step) for side, step in runs.items()}
        parts = parts_of(ours, clock, min(args.rounds, 5))
        parameters = sum(value.numel() for value in ours.model.parameters() if value.requires_grad)
    order = ('plain', 'ours') if 'plain' in runs else ('ours', 'unit')
    return {
        'method': name,
        'config': METHODS[name].config,
        'note': METHODS[name].note,
        'batch': batch,
        'points': ours.points,
        'parameters': parameters,
        **timed,
        'gflop': gflop,
        'ceiling_gflops': ceiling,
        'ceiling_share': {side: gflop[side] / value / ceiling for side, value in timed['median_seconds'].items()},
        'peak_gib': memory,
        'ratio': ratio(timed['seconds'], *order),
        'parts': parts,
    }


def _gflop(step: Callable[[], None]) -> float:
    """1e9 operations of matrix products, attentions and convolutions in one step, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 1e9


def peak_of(name: str, side: str, args: argparse.Namespace) -> float:
    """GiB that this process holds at most when one contestant takes three steps: the optimiser has its state then."""
    torch.set_num_threads(args.threads)
    with training(name, args.batch) as ours:
        if side == 'ours':
            return _peak_of_three(ours.run)
        step = plain_run(ours)
    # The weights of ours are not the plain form's memory.
    del ours
    return _peak_of_three(step)


def _peak_of_three(step: Callable[[], None]) -> float:
    for _ in range(3):
        step()
    return peak_gib()


def show(row: dict[str, Any]) -> None:
    """One block for one method."""
    print(f'\n{row["method"]}: {row["batch"]} clouds of {row["points"]} points, ', end='')
    print(f'{row["parameters"] / 1e6:.1f} M parameters trained, ceiling {row["ceiling_gflops"]:.0f} GFLOP/s; ', end='')
    print(row['config'])
    if row['note']:
        print(f'  {row["note"]}')
    for side, seconds in row['seconds'].items():
        median, least, most = typical(seconds)
        print(f'  {_NAMES[side]:16} {median:7.3f} s ({least:.3f} to {most:.3f}) ', end='')
        print(f'{row["samples_per_second"][side]:7.2f} samples/s ', end='')
        memory = f'{row["peak_gib"][side]:5.2f} GiB ' if side in row['peak_gib'] else ''
        print(f'{memory}{row["gflop"][side]:8.1f} GFLOP, {row["ceiling_share"][side]:.0%} of the ceiling')
    median, least, most = row['ratio']
    said = 'the plain form takes {} times as long' if 'plain' in row['seconds'] else 'ours takes {} steps of Point-MAE'
    print(f'  {said.format(f"{median:.2f}")} ({least:.2f} to {most:.2f}', end='')
    print(f' in {len(row["seconds"]["ours"])} turns, {row["discarded"]} discarded)')
    if row['disturbed']:
        print('  DISTURBED: other processes ran nearly all the time; these figures are not to be quoted')
    whole = sum(row['parts'].values())
    parts = sorted(row['parts'].items(), key=lambda part: -part[1])
    print('  parts: ' + ', '.join(f'{part} {1000 * value:.0f} ms ({value / whole:.0%})' for part, value in parts))


def main(argv: list[str] | None = None) -> None:
    """Measure what was asked for and print it."""
    args = parse_args(argv)
    register_all_modules()
    MMLogger.get_current_instance().setLevel('WARNING')
    # In forks, which must come before torch starts its threads.
    memory: dict[str, dict[str, float]] = {name: {} for name in args.methods}
    for name in args.methods if Path('/proc/self/status').is_file() else ():
        for side in ('ours', 'plain') if METHODS[name].plain is not None else ('ours',):
            memory[name][side] = in_own_process(partial(peak_of, name, side, args))
    torch.set_num_threads(args.threads)
    print(f'torch {torch.__version__}, {args.threads} thread(s), {args.clock} clock; allocator: {allocator()}')
    rows = []
    for name in args.methods:
        rows.append(measure(name, args, memory[name]))
        show(rows[-1])
        # All methods take minutes: what an interrupted run has found stays.
        write_record(args, methods=rows)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--methods', nargs='+', default=list(METHODS), metavar='NAME', help=', '.join(METHODS))
    parser.add_argument('--batch', type=int, help='clouds; default: 16, CrossPoint 4')
    add_timing_options(parser, rounds=7)
    parser.add_argument('--smoke', action='store_true', help='2 clouds, 1 turn')
    args = parser.parse_args(argv)
    unknown = sorted(set(args.methods) - set(METHODS))
    if unknown:
        raise ConfigError(f'--methods {" ".join(unknown)}: no such method; there are {", ".join(METHODS)}.')
    if args.smoke:
        args.batch, args.rounds = 2, 1
    args.command = shlex.join(['python', 'tools/benchmarks/step.py', *(sys.argv[1:] if argv is None else argv)])
    return args


if __name__ == '__main__':
    sys.exit(run(main))
