"""Time the point operations against a plain baseline of each, side by side in one process.

    python tools/benchmarks/ops_speed.py --repeats 15
    python tools/benchmarks/ops_speed.py --only chamfer --threads 1 --clock cpu

The two sides of a case run in turn, so that other load on the machine falls on both; the ratio is taken pair by pair
and printed as median and quartiles. Nothing is asserted. ``--clock cpu`` counts the time of the process over all its
threads: with ``--threads 1`` it says more than the wall clock on a machine that is shared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mmpt.ops import ball_query, chamfer_distance, farthest_point_sample, gather, knn, rasterize, three_interpolate


class Case(NamedTuple):
    """One comparison: the same work done by ours and by the baseline that ``against`` names."""

    name: str
    against: str
    ours: Callable[[], object]
    baseline: Callable[[], object]


def naive_fps(points: Tensor, num: int) -> Tensor:
    """The loop most repositories carry: (B, N, 3) differences and a boolean mask."""
    rows = torch.arange(points.shape[0])
    index = torch.zeros(points.shape[0], num, dtype=torch.int64)
    nearest = torch.full(points.shape[:2], 1e10)
    last = torch.zeros(points.shape[0], dtype=torch.int64)
    for step in range(num):
        index[:, step] = last
        distance = ((points - points[rows, last][:, None]) ** 2).sum(dim=2)
        closer = distance < nearest
        nearest[closer] = distance[closer]
        last = nearest.max(dim=1).indices
    return index


def expanded_knn(query: Tensor, reference: Tensor, k: int) -> Tensor:
    """Squared distances by matrix product, then topk."""
    square = -2 * query @ reference.transpose(1, 2)
    square += query.square().sum(dim=2)[:, :, None] + reference.square().sum(dim=2)[:, None]
    return square.topk(k, dim=2, largest=False, sorted=False).indices


def sorted_ball_query(query: Tensor, reference: Tensor, radius: float, k: int) -> Tensor:
    """Mask the index by the radius, sort all of it."""
    size = reference.shape[1]
    index = torch.arange(size).expand(query.shape[0], query.shape[1], size).clone()
    index[torch.cdist(query, reference) >= radius] = size
    index = index.sort(dim=2).values[:, :, :k]
    first = index[:, :, :1].expand(-1, -1, k)
    return torch.where(index == size, first, index)


def broadcast_chamfer(x: Tensor, y: Tensor) -> Tensor:
    """All differences at once, differentiated through."""
    square = (x[:, :, None] - y[:, None]).square().sum(dim=3)
    return square.min(dim=2).values.mean() + square.min(dim=1).values.mean()


def cdist_chamfer(x: Tensor, y: Tensor) -> Tensor:
    """The whole distance matrix, differentiated through."""
    square = torch.cdist(x, y, compute_mode='donot_use_mm_for_euclid_dist').square()
    return square.min(dim=2).values.mean() + square.min(dim=1).values.mean()


def point_picture(points: Tensor, azimuth: Tensor, size: int) -> Tensor:
    """One white pixel per point, one image at a time, without shading, size of the points or holes."""
    pictures = torch.zeros(len(points), size, size)
    for picture, cloud, angle in zip(pictures, points, azimuth):
        across = cloud[:, 0] * angle.cos() - cloud[:, 2] * angle.sin()
        depth = 2.6 - cloud[:, 0] * angle.sin() - cloud[:, 2] * angle.cos()
        column, row = (((0.5 + 1.2 * part / depth) * size).long().clamp(0, size - 1) for part in (across, -cloud[:, 1]))
        order = depth.argsort(descending=True)
        picture[row[order], column[order]] = 1 / depth[order]
    return pictures


def backward(function: Callable[..., Tensor], *leaves: Tensor) -> Callable[[], object]:
    """Forward and backward, from a gradient that lies in memory like that of a network."""

    def run() -> object:
        out = function(*leaves)
        return torch.autograd.grad(out, leaves, torch.ones_like(out))

    return run


def cases() -> list[Case]:
    """The shapes of pre-training: 32 clouds of 1024 points, 64 patches of 32; and larger clouds."""
    draw = torch.Generator().manual_seed(0)

    def cloud(batch: int, num: int, channels: int = 3) -> Tensor:
        return torch.randn(batch, num, channels, generator=draw)

    small, large, centers = cloud(32, 1024), cloud(4, 8192), cloud(32, 64)
    patches = [cloud(1216, 32).requires_grad_() for _ in range(2)]
    whole = [cloud(8, 2048).requires_grad_() for _ in range(2)]
    features = cloud(8, 2048, 64).requires_grad_()
    index = torch.randint(0, 2048, (8, 2048, 15), generator=draw)
    rows = torch.arange(8)[:, None, None]
    tokens, token_centers, targets = cloud(8, 128, 384), cloud(8, 128), cloud(8, 2048)
    normals = torch.nn.functional.normalize(small, dim=2)
    azimuth = torch.rand(32, generator=draw) * 6

    def dense_interpolate() -> Tensor:
        weight = 1 / (torch.cdist(targets, token_centers).square() + 1e-8)
        value, nearest = weight.topk(3, dim=2)
        picked = tokens[rows, nearest]
        return (picked * (value / value.sum(dim=2, keepdim=True))[..., None]).sum(dim=2)

    return [
        Case(
            'fps 32 x 1024 -> 64',
            'naive loop',
            lambda: farthest_point_sample(small, 64),
            lambda: naive_fps(small, 64),
        ),
        Case(
            'fps 4 x 8192 -> 512',
            'naive loop',
            lambda: farthest_point_sample(large, 512),
            lambda: naive_fps(large, 512),
        ),
        Case(
            'knn 32 x 64 in 1024, k 32',
            'matrix product, unsorted',
            lambda: knn(centers, small, 32),
            lambda: expanded_knn(centers, small, 32),
        ),
        Case(
            'knn 8 x 2048 in 2048, k 20',
            'matrix product, unsorted',
            lambda: knn(targets, whole[0], 20),
            lambda: expanded_knn(targets, whole[0].detach(), 20),
        ),
        Case(
            'ball query 32 x 64 in 1024',
            'full sort',
            lambda: ball_query(centers, small, 0.4, 32),
            lambda: sorted_ball_query(centers, small, 0.4, 32),
        ),
        Case(
            'gather 8 x 2048 x 15 of 64, fwd+bwd',
            'advanced indexing',
            backward(lambda values: gather(values, index), features),
            backward(lambda values: values[rows, index], features),
        ),
        Case(
            'interpolate 8 x 128 -> 2048 of 384',
            'cdist, topk',
            lambda: three_interpolate(tokens, token_centers, targets),
            dense_interpolate,
        ),
        Case(
            'chamfer 1216 x 32 x 32, fwd+bwd',
            'broadcast',
            backward(chamfer_distance, *patches),
            backward(broadcast_chamfer, *patches),
        ),
        Case(
            'chamfer 8 x 2048 x 2048, fwd+bwd',
            'cdist',
            backward(chamfer_distance, *whole),
            backward(cdist_chamfer, *whole),
        ),
        Case(
            'rasterize 32 x 1024, 64 px',
            'bare pixels, one by one',
            lambda: rasterize(normals, normals, azimuth, 0.3, 2.6, 64),
            lambda: point_picture(normals, azimuth, 64),
        ),
    ]


def measure(case: Case, repeats: int, clock: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Milliseconds of ours and of the baseline, in turn, after one run of each that is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for side, run in zip(times, (case.ours, case.baseline)):
            begin = clock()
            run()
            if repeat:
                side.append((clock() - begin) * 1e3)
    return times


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=15, help='pairs of runs per case, at least 2')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='torch threads')
    parser.add_argument('--clock', choices=('wall', 'cpu'), default='wall')
    parser.add_argument('--only', default='', help='run the cases whose name contains this')
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error('--repeats: at least 2 are needed for quartiles')
    torch.set_num_threads(arguments.threads)
    clock = time.perf_counter if arguments.clock == 'wall' else time.process_time
    print(
        f'torch {torch.__version__}, {arguments.threads} thread(s), {arguments.clock} clock, {arguments.repeats} pairs'
    )
    print(f'{"case":38} {"ours ms":>9} {"baseline ms":>12}  baseline / ours: median (quartiles)')
    for case in cases():
        if arguments.only not in case.name:
            continue
        ours, baseline = measure(case, arguments.repeats, clock)
        low, middle, high = statistics.quantiles([b / o for o, b in zip(ours, baseline)], n=4)
        print(
            f'{case.name:38} {statistics.median(ours):9.2f} {statistics.median(baseline):12.2f}  '
            f'{middle:.2f} ({low:.2f}-{high:.2f}) against {case.against}'
        )


if __name__ == '__main__':
    main()
