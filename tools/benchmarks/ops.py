"""Time the point operations beside every plain form of them, on the sizes that pre-training and scenes have.

    python tools/benchmarks/ops.py --threads 2                                  default allocator
    bash -c 'source tools/_cpu_env.sh; python tools/benchmarks/ops.py --threads 2'          tuned allocator
    python tools/benchmarks/ops.py --only chamfer --threads 1 --clock cpu --json ops.json
    python tools/benchmarks/ops.py --smoke                      every case, small and too short to say anything

All forms of a case (tests/reference/point_ops.py) take turns in one process; the ratio is taken turn by turn and shown
as median, smallest and largest. How turns are judged by the load of other processes stands in tools/benchmarks/step.py.
The last column compares with the first plain form, which is exact: the share of equal indices, or of equal sets of
them where a form leaves their order open, or the largest relative error of values and gradients. ``MiB`` is what a
process that has worked off two small clouds gains at most in one run.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools' / 'benchmarks'), str(ROOT / 'tests' / 'reference')]

import point_ops as plain  # noqa: E402
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

from mmpt.ops import (  # noqa: E402
    ball_query,
    chamfer_distance,
    farthest_point_sample,
    gather,
    knn,
    rasterize,
    three_interpolate,
)
from mmpt.utils.errors import ConfigError, run  # noqa: E402

_Forms = dict[str, Callable[[], Any]]
#: Points of a cloud, and clouds, of a smoke run at most.
_SMOKE = 256, 2


class Case(NamedTuple):
    """One operation at one size.

    Attributes:
        forms (Callable): builds the inputs, the same each time; ``ours`` first, then an exact plain form, then others.
        agrees (str): what is compared: ``index``, ``set`` or ``value``; '' where the forms do not do the same.
    """

    forms: Callable[[], _Forms]
    agrees: str


def _clouds(batch: int, points: int, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(batch, points, channels, generator=torch.Generator().manual_seed(seed))


def _fps(batch: int, points: int, num: int) -> _Forms:
    cloud = _clouds(batch, points)
    forms = {
        'ours': lambda: farthest_point_sample(cloud, num),
        'an array for each axis, in place': lambda: plain.fps_axes(cloud, num),
    }
    # Differences of all axes at once: 2,048 steps over 100,000 points would be half a minute.
    if batch * points * num <= 1 << 28:
        forms['differences of all axes, boolean mask'] = lambda: plain.fps_broadcast(cloud, num)
    return forms


def _knn(batch: int, queries: int, points: int, k: int) -> _Forms:
    query, cloud = _clouds(batch, queries, seed=1), _clouds(batch, points)
    return {
        'ours': lambda: knn(query, cloud, k),
        'cdist, topk sorted': lambda: plain.knn_topk(query, cloud, k),
        'cdist, topk unsorted': lambda: plain.knn_topk(query, cloud, k, sort=False),
        'matrix product, topk unsorted': lambda: plain.knn_expanded(query, cloud, k),
        'k-d trees': lambda: plain.knn_tree(query, cloud, k),
    }


def _ball(batch: int, queries: int, points: int, k: int) -> _Forms:
    query, cloud = _clouds(batch, queries, seed=1), _clouds(batch, points)
    return {
        'ours': lambda: ball_query(query, cloud, 0.4, k),
        'mask by the radius, sort all': lambda: plain.ball_query_sorted(query, cloud, 0.4, k),
    }


def _gather(batch: int, points: int, k: int, channels: int) -> _Forms:
    features = _clouds(batch, points, channels).requires_grad_()
    index = torch.randint(0, points, (batch, points, k), generator=torch.Generator().manual_seed(0))
    rows = torch.arange(batch)[:, None, None]
    return {
        'ours': _with_gradient(lambda values: gather(values, index), features),
        'advanced indexing': _with_gradient(lambda values: values[rows, index], features),
    }


def _interpolate(batch: int, centres: int, points: int, channels: int) -> _Forms:
    values, middle, targets = _clouds(batch, centres, channels), _clouds(batch, centres, seed=1), _clouds(batch, points)
    return {
        'ours': lambda: three_interpolate(values, middle, targets),
        'cdist, topk': lambda: plain.interpolate_topk(values, middle, targets),
    }


def _chamfer(batch: int, points: int) -> _Forms:
    x, y = (_clouds(batch, points, seed=seed).requires_grad_() for seed in (0, 1))
    forms = {
        'ours': chamfer_distance,
        'cdist, differentiated through': plain.chamfer_cdist,
        'cdist, argmin without graph, gather': plain.chamfer_gathered,
        'matrix product, differentiated through': plain.chamfer_expanded,
    }
    if batch * points**2 <= 1 << 23:
        forms['all differences at once'] = plain.chamfer_broadcast
    # A tree for each patch of 32 points takes ten times as long as all of its distances.
    if points >= 256:
        forms['k-d trees, gather'] = plain.chamfer_tree
    return {name: _with_gradient(form, x, y) for name, form in forms.items()}


def _pictures(batch: int, points: int, size: int) -> _Forms:
    cloud = _clouds(batch, points)
    normals = torch.nn.functional.normalize(cloud, dim=2)
    azimuth = torch.rand(batch, generator=torch.Generator().manual_seed(0)) * 6
    return {
        'ours': lambda: rasterize(normals, normals, azimuth, 0.3, 2.6, size),
        'a pixel for each point, one by one': lambda: plain.pixels(normals, azimuth, size),
    }


def _with_gradient(function: Callable[..., Tensor], *leaves: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    """Forward and backward, from a gradient that lies in memory like that of a network."""

    def run_both() -> tuple[Tensor, ...]:
        out = function(*leaves)
        return (out.detach(), *torch.autograd.grad(out, leaves, torch.ones_like(out)))

    return run_both


#: What a case is made by, its sizes, and how its forms are compared.
_SIZES: dict[str, tuple[Callable[..., _Forms], tuple[int, ...], str]] = {
    'fps 32 x 1024 -> 64': (_fps, (32, 1024, 64), 'index'),
    'fps 4 x 1024 -> 64': (_fps, (4, 1024, 64), 'index'),
    'fps 4 x 8192 -> 1024': (_fps, (4, 8192, 1024), 'index'),
    'fps 32 x 8192 -> 1024': (_fps, (32, 8192, 1024), 'index'),
    'fps 1 x 100000 -> 2048': (_fps, (1, 100_000, 2048), 'index'),
    'knn 32 x 64 in 1024, k 32': (_knn, (32, 64, 1024, 32), 'set'),
    'knn 8 x 2048 in 2048, k 20': (_knn, (8, 2048, 2048, 20), 'set'),
    'ball query 32 x 64 in 1024, k 32': (_ball, (32, 64, 1024, 32), 'index'),
    'gather 8 x 2048 x 15 of 64, fwd+bwd': (_gather, (8, 2048, 15, 64), 'value'),
    'interpolate 8 x 128 -> 2048 of 384': (_interpolate, (8, 128, 2048, 384), 'value'),
    'chamfer 608 x 32 x 32, fwd+bwd': (_chamfer, (608, 32), 'value'),
    'chamfer 1216 x 32 x 32, fwd+bwd': (_chamfer, (1216, 32), 'value'),
    'chamfer 8 x 2048 x 2048, fwd+bwd': (_chamfer, (8, 2048), 'value'),
    'rasterize 32 x 1024, 64 px': (_pictures, (32, 1024, 64), ''),
}


def cases(smoke: bool) -> dict[str, Case]:
    """By name; of a smoke run with fewer clouds and points.

    Args:
        smoke (bool): whether it is one.
    """
    most, batch = _SMOKE
    found = {}
    for name, (make, sizes, agrees) in _SIZES.items():
        if smoke:
            sizes = (min(sizes[0], batch), *(min(size, most) for size in sizes[1:]))
            if len(sizes) > 2:
                # Neighbours and samples stay fewer than the points they are taken from.
                sizes = (*sizes[:-1], min(sizes[-1], 32))
        found[name] = Case(partial(make, *sizes), agrees)
    return found


def agreement(forms: Mapping[str, Callable[[], Any]], kind: str) -> dict[str, float]:
    """How far every form agrees with the exact one, the second of them.

    Args:
        forms (Mapping): of a case.
        kind (str): ``index``, ``set``: the share that is equal, 1 at best; ``value``: the largest error over values
            and gradients, of the largest value, 0 at best.

    Returns:
        dict[str, float]: by form; empty where ``kind`` is.
    """
    if not kind:
        return {}
    names = list(forms)
    exact = _as_tuple(forms[names[1]]())
    return {name: _compare(_as_tuple(form()), exact, kind) for name, form in forms.items()}


def _as_tuple(value: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


def _compare(one: tuple[Tensor, ...], other: tuple[Tensor, ...], kind: str) -> float:
    if kind == 'value':
        return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(one, other, strict=True))
    a, b = one[0], other[0]
    if kind == 'set':
        a, b = a.sort(dim=2).values, b.sort(dim=2).values
    return float((a == b).double().mean())


def memory_of(name: str, form: str, args: argparse.Namespace) -> float:
    """MiB that this process holds in one run at most, over what it held before."""
    torch.set_num_threads(args.threads)
    # What the first call of anything loads is no part of it.
    small = cases(smoke=True)[name].forms()
    small.get(form, small['ours'])()
    return gained_mib(cases(args.smoke)[name].forms()[form])


def measure(name: str, case: Case, args: argparse.Namespace, memory: dict[str, float]) -> dict[str, Any]:
    """One case.

    Args:
        name (str): of it.
        case (Case): likewise.
        args (Namespace): of the command line.
        memory (dict[str, float]): MiB by form.

    Returns:
        dict: ``case``; :func:`figures` of the turns; by form ``ratio``, median, smallest and largest over turns of its
        seconds over ours, ``agrees``, ``peak_mib``.
    """
    forms = case.forms()
    agrees = agreement(forms, case.agrees)
    found = figures(take_turns(forms, args, args.least), args)
    ratios = {form: ratio(found['seconds'], form, 'ours') for form in forms}
    return {
        'case': name,
        'compared_by': case.agrees,
        **found,
        'ratio': ratios,
        'agrees': agrees,
        'peak_mib': memory,
    }


def show(row: dict[str, Any]) -> None:
    """A block for one case."""
    warning = '; DISTURBED, not to be quoted' if row['disturbed'] else ''
    print(f'\n{row["case"]}   ({row["discarded"]} turns discarded{warning})')
    for form, seconds in row['seconds'].items():
        median, least, most = (1000 * value for value in typical(seconds))
        print(f'  {form:40} {median:9.2f} ms {f"({least:.2f} to {most:.2f})":22}', end='')
        print('{:6.2f} ({:.2f} to {:.2f})'.format(*row['ratio'][form]).ljust(25), end='')
        mib = f'{row["peak_mib"][form]:8.1f} MiB' if form in row['peak_mib'] else ''
        agrees = row['agrees'].get(form)
        said = '' if agrees is None else f'{agrees:.1e} off' if row['compared_by'] == 'value' else f'{agrees:.4f} equal'
        print(f'{mib}   {said}', flush=True)


def main(argv: list[str] | None = None) -> None:
    """Measure what was asked for and print it."""
    args = parse_args(argv)
    chosen = {name: case for name, case in cases(args.smoke).items() if args.only in name}
    if not chosen:
        raise ConfigError(f'--only {args.only}: no case has that in its name; there are {"; ".join(_SIZES)}.')
    memory: dict[str, dict[str, float]] = {name: {} for name in chosen}
    # In forks, which must come before torch starts its threads.
    for name, case in chosen.items() if Path('/proc/self/clear_refs').is_file() else ():
        for form in case.forms():
            memory[name][form] = in_own_process(partial(memory_of, name, form, args))
    torch.set_num_threads(args.threads)
    print(f'torch {torch.__version__}, {args.threads} thread(s), {args.clock} clock; allocator: {allocator()}')
    print('seconds over those of ours: median (smallest to largest)')
    rows = []
    for name, case in chosen.items():
        rows.append(measure(name, case, args, memory[name]))
        show(rows[-1])
        write_record(args, cases=rows)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default='', metavar='TEXT', help='cases that have this in their name')
    parser.add_argument('--least', type=float, default=0.1, help='seconds that a measurement lasts')
    add_timing_options(parser, rounds=11)
    parser.add_argument('--smoke', action='store_true', help='2 clouds of 256 points, 1 turn')
    args = parser.parse_args(argv)
    if args.smoke:
        args.rounds, args.least = 1, 0.0
    args.command = shlex.join(['python', 'tools/benchmarks/ops.py', *(sys.argv[1:] if argv is None else argv)])
    return args


if __name__ == '__main__':
    sys.exit(run(main))
