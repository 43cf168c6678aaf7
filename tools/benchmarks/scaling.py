"""How cost grows with size: points, clouds of a batch, patches of a cloud, processes; with the fitted exponent.

    python tools/benchmarks/scaling.py --threads 2
    python tools/benchmarks/scaling.py --series chamfer batch --rounds 7 --json scaling.json
    python tools/benchmarks/scaling.py --series ranks --ranks 1 2           as many cores as processes, or more
    python tools/benchmarks/scaling.py --smoke                               two small sizes, too short to say anything

The exponent is the slope of the seconds over the size, both as logarithms, by least squares: 1 for a cost that doubles
with the size, below 1 where small sizes leave the machine idle. It is fitted turn by turn and shown as median, smallest
and largest. Ours and the plain form of it (tests/reference) take turns in one process at every size, and how turns are
judged by the load of other processes stands in tools/benchmarks/step.py. ``MiB`` is the most that a process of its own
gains by building the inputs and the models of both forms, and by one run of one of them.

Processes: real trainings (tools/dist_train.sh) of a small Point-MAE with the same clouds in every update, shared by so
many processes of one thread each, one after another; samples/s from the median update of their logs.
"""

from __future__ import annotations

import argparse
import math
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.logging import MMLogger

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools' / 'benchmarks'), str(ROOT / 'tests' / 'reference')]

import point_ops  # noqa: E402
from _step_methods import contestants, training  # noqa: E402
from _timing import (  # noqa: E402
    add_timing_options,
    allocator,
    figures,
    gained_mib,
    in_own_process,
    ratio,
    take_turns,
    typical,
    write_record,
)
from _trainings import NO_VAL  # noqa: E402
from plain import cut_patches  # noqa: E402

from mmpt.models.layers.grouping import group_points  # noqa: E402
from mmpt.ops import chamfer_distance  # noqa: E402
from mmpt.utils.errors import ConfigError, run  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402
from mmpt.visualization import read_scalars  # noqa: E402

_Forms = dict[str, Callable[[], Any]]


class Series(NamedTuple):
    """One quantity that grows.

    Attributes:
        forms (Callable): a context of ``ours`` and ``plain`` at a size.
        sizes (tuple[int, ...]): each twice the one before.
        title (str): what is done, and what its size is.
    """

    forms: Callable[[int], Any]
    sizes: tuple[int, ...]
    title: str


def _clouds(batch: int, points: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, points, 3, generator=torch.Generator().manual_seed(seed))


@contextmanager
def _patches(points: int) -> Iterator[_Forms]:
    cloud = _clouds(4, points)
    yield {'ours': lambda: group_points(cloud, 64, 32), 'plain': lambda: cut_patches(cloud, 64, 32)}


@contextmanager
def _chamfer(points: int) -> Iterator[_Forms]:
    x, y = (_clouds(4, points, seed).requires_grad_() for seed in (0, 1))

    def with_gradient(function: Callable[..., torch.Tensor]) -> Any:
        return torch.autograd.grad(function(x, y), (x, y))

    yield {
        'ours': partial(with_gradient, chamfer_distance),
        'plain': partial(with_gradient, point_ops.chamfer_cdist),
    }


@contextmanager
def _step(size: int, key: str | None = None) -> Iterator[_Forms]:
    """A training step of Point-MAE on so many clouds, or on 4 of which ``key`` is so large."""
    options = {} if key is None else {key: size}
    with training('point_mae', size if key is None else 4, options) as ours, contestants(ours) as runs:
        yield runs


SERIES = {
    'points': Series(_patches, (1024, 2048, 4096, 8192, 16384), '64 patches of 32 out of 4 clouds, points of a cloud'),
    'chamfer': Series(_chamfer, (256, 512, 1024, 2048, 4096), 'Chamfer-L2 with gradient, 4 clouds, points of a cloud'),
    'batch': Series(_step, (2, 4, 8, 16, 32), 'a training step of Point-MAE, clouds'),
    'groups': Series(
        partial(_step, key='model.encoder.num_groups'),
        (16, 32, 64, 128, 256),
        'a training step of Point-MAE on 4 clouds of 1,024 points, patches of a cloud',
    ),
}


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The slope of log(cost) over log(size) by least squares.

    Args:
        sizes (Sequence[int]): at least two different ones.
        costs (Sequence[float]): of each, above 0.
    """
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope


def exponents(sizes: Sequence[int], seconds: Sequence[Sequence[float]]) -> list[float]:
    """:func:`typical` of the slopes through the first turns of all sizes, through the second, and so on.

    Args:
        sizes (Sequence[int]): of the series.
        seconds (Sequence[Sequence[float]]): of every size, turn by turn; what some sizes have more of is left out.
    """
    return typical([exponent(sizes, turn) for turn in zip(*seconds, strict=False)])


def memory_of(name: str, size: int, side: str, threads: int) -> float:
    """MiB that this process gains at most when it builds one size and runs one form of it."""
    torch.set_num_threads(threads)

    def build_and_run() -> None:
        with SERIES[name].forms(size) as runs:
            runs[side]()

    return gained_mib(build_and_run)


def measure(name: str, sizes: Sequence[int], args: argparse.Namespace) -> dict[str, Any]:
    """One series.

    Args:
        name (str): of SERIES.
        sizes (Sequence[int]): of it.
        args (Namespace): of the command line.

    Returns:
        dict: ``series``, ``title``, ``sizes``; ``rows``, :func:`figures` of every size with ``ratio``, the plain form's
        seconds over ours; by form ``exponents``.
    """
    rows = []
    for size in sizes:
        with SERIES[name].forms(size) as runs:
            found = figures(take_turns(runs, args, args.least), args)
        rows.append({'size': size, **found, 'ratio': ratio(found['seconds'], 'plain', 'ours')})
    fitted = {side: exponents(sizes, [row['seconds'][side] for row in rows]) for side in ('ours', 'plain')}
    return {'series': name, 'title': SERIES[name].title, 'sizes': list(sizes), 'rows': rows, 'exponents': fitted}


def show(found: dict[str, Any]) -> None:
    """A block for one series."""
    print(f'\n{found["title"]}')
    print('     size     ours, ms    plain, ms   plain / ours               ours, MiB  plain, MiB')
    for row in found['rows']:
        ours, plain = (1000 * row['median_seconds'][side] for side in ('ours', 'plain'))
        spread = '{:.2f} ({:.2f} to {:.2f})'.format(*row['ratio'])
        memory = ''.join(f'{row["peak_mib"][side]:12.1f}' for side in ('ours', 'plain') if 'peak_mib' in row)
        warning = '   DISTURBED, not to be quoted' if row['disturbed'] else ''
        print(f'{row["size"]:9,} {ours:12.2f} {plain:12.2f}   {spread:24}{memory}{warning}')
    for side, fitted in found['exponents'].items():
        print('  exponent of {}: {:.2f} ({:.2f} to {:.2f})'.format(side, *fitted), flush=True)


def ranks(numbers: Sequence[int], args: argparse.Namespace) -> list[dict[str, Any]]:
    """Trainings with one update shared by so many processes.

    Args:
        numbers (Sequence[int]): of processes; each divides 64.
        args (Namespace): of the command line.

    Returns:
        list[dict]: ``processes``, ``seconds`` of the median update, ``samples_per_second``, ``gain`` over the first.

    Raises:
        ConfigError: a number does not divide 64, or a training failed.
    """
    rows: list[dict[str, Any]] = []
    config = 'configs/point_mae/laptop_synthetic.py'
    before, timed = (4, 12) if args.smoke else (10, 40)
    print(f'\ntrainings of {config}, 64 clouds in every update, one thread for each process')
    for number in numbers:
        if number < 1 or 64 % number:
            raise ConfigError(f'--ranks {number}: 64 clouds are not shared evenly by so many processes.')
        with tempfile.TemporaryDirectory() as folder:
            options = [*NO_VAL, f'train_cfg.max_iters={before + timed}']
            options += ['log_processor.window_size=1', 'default_hooks.logger.interval=1']
            options += [f'train_dataloader.batch_size={64 // number}', 'train_dataloader.dataset.size=1024']
            command = ['bash', 'tools/dist_train.sh', config, str(number), '--work-dir', folder, '--device', 'cpu']
            done = subprocess.run(
                ['env', 'OMP_NUM_THREADS=1', f'PYTHON={sys.executable}', *command, '--cfg-options', *options],
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                last = (done.stdout + done.stderr).strip().splitlines()[-1]
                raise ConfigError(f'The training with {number} processes failed: {last}')
            seconds = statistics.median(read_scalars(folder)['time'].values[before:])
        rate = 64 / seconds
        gain = rate / rows[0]['samples_per_second'] if rows else 1.0
        rows.append({'processes': number, 'seconds': seconds, 'samples_per_second': rate, 'gain': gain})
        print(f'{number:5} processes {1000 * seconds:9.1f} ms {rate:9.1f} samples/s {gain:6.2f}', flush=True)
    return rows


def main(argv: list[str] | None = None) -> None:
    """Measure what was asked for and print it."""
    args = parse_args(argv)
    register_all_modules()
    MMLogger.get_current_instance().setLevel('WARNING')
    chosen = {name: SERIES[name].sizes[: 2 if args.smoke else None] for name in args.series if name in SERIES}
    memory: dict[tuple[str, int], dict[str, float]] = {}
    # In forks, which must come before torch starts its threads.
    for name, sizes in chosen.items() if Path('/proc/self/clear_refs').is_file() else ():
        for size in sizes:
            sides = ('ours', 'plain')
            memory[name, size] = {
                side: in_own_process(partial(memory_of, name, size, side, args.threads)) for side in sides
            }
    torch.set_num_threads(args.threads)
    print(f'torch {torch.__version__}, {args.threads} thread(s), {args.clock} clock; allocator: {allocator()}')
    found: list[dict[str, Any]] = []
    for name, sizes in chosen.items():
        found.append(measure(name, sizes, args))
        for row in found[-1]['rows']:
            row.update({'peak_mib': memory[name, row['size']]} if memory else {})
        show(found[-1])
        write_record(args, series=found)
    if 'ranks' in args.series:
        write_record(args, series=found, ranks=ranks(args.ranks, args))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*SERIES, 'ranks']
    parser.add_argument('--series', nargs='+', choices=known, default=known)
    parser.add_argument('--ranks', nargs='+', type=int, default=[1, 2], metavar='N', help='processes, for that series')
    parser.add_argument('--least', type=float, default=0.1, help='seconds that a measurement lasts')
    add_timing_options(parser, rounds=5)
    parser.add_argument('--smoke', action='store_true', help='the two smallest sizes, 1 turn')
    args = parser.parse_args(argv)
    if args.smoke:
        args.rounds, args.least = 1, 0.0
    args.command = shlex.join(['python', 'tools/benchmarks/scaling.py', *(sys.argv[1:] if argv is None else argv)])
    return args


if __name__ == '__main__':
    sys.exit(run(main))
