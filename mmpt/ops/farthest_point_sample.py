"""Farthest point sampling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._checks import check_batched
from ._mmcv import cuda_guard, fast_ops
from ._precision import autocast_off, coordinates

__all__ = ['farthest_point_sample']


@torch.compiler.disable  # compiling would unroll the loop: 13 s of compilation for slower code (measured)
@torch.no_grad()
def farthest_point_sample(points: Tensor, num: int, start: int | Tensor = 0) -> Tensor:
    """Choose points one by one, each the farthest from those chosen before (Gonzalez 1985; PointNet++).

    Exact ties go to the lowest index. No index is chosen twice, also where points coincide: once every distinct
    position is taken, the remaining indices follow in ascending order. Unlike the CUDA operation of pointnet2, points
    near the origin are candidates like all others.

    On CUDA with a compiled mmcv its kernel is used; it breaks ties in another order and, in a cloud with
    fewer than ``num`` distinct positions, repeats indices. It has not been measured on a GPU yet.

    Args:
        points (Tensor): (B, N, 3) finite coordinates in any unit; computed in float32, float64 stays float64.
        num (int): how many points to choose, 1 <= num <= N.
        start (int | Tensor): index of the first point, one for all clouds or (B,) int64, in [0, N).

    Returns:
        Tensor: (B, num) int64 index into ``points`` in the order of choice; ``[:, 0]`` is ``start``. No gradient.

    Raises:
        ValueError: if ``num`` or ``start`` do not fit the cloud.
    """
    check_batched('farthest_point_sample', 'points', points, 3)
    batch, size, _ = points.shape
    if not 1 <= num <= size:
        raise ValueError(
            f'farthest_point_sample: asked for {num} of {size} points; '
            f'ask for 1 to {size}, or pass clouds with more points.'
        )
    first = _first_index(start, batch, size, points.device)
    ops = fast_ops(points)
    with autocast_off(points):
        if ops is None:
            return _reference(coordinates(points), num, first)
        return _by_mmcv(ops, coordinates(points), num, first)


def _first_index(start: int | Tensor, batch: int, size: int, device: torch.device) -> Tensor:
    """(B,) int64 on the device of the points."""
    if isinstance(start, Tensor):
        if start.shape != (batch,) or start.is_floating_point():
            raise ValueError(
                f'farthest_point_sample: expected start of shape ({batch},) int64, got {start.dtype} '
                f'{tuple(start.shape)}; give one index per cloud.'
            )
        inside = start.device.type != 'cpu' or bool(((start >= 0) & (start < size)).all())
        first = start.to(device=device, dtype=torch.int64)
    else:
        inside = 0 <= start < size
        first = torch.full((batch,), start, dtype=torch.int64, device=device)
    if not inside:
        raise ValueError(
            f'farthest_point_sample: expected start in [0, {size}), got {start}; the index belongs to another cloud.'
        )
    return first


def _reference(points: Tensor, num: int, first: Tensor) -> Tensor:
    # Structure of arrays and in-place steps: 3 to 6 times faster on CPU than a (B, N, 3) broadcast.
    axes = points.permute(2, 0, 1).contiguous()
    nearest = axes.new_full(axes.shape[1:], torch.inf)
    distance, delta = torch.empty_like(nearest), torch.empty_like(nearest)
    index = first.new_empty(points.shape[0], num)
    last = first[:, None]
    for step in range(num):
        index[:, step : step + 1] = last
        for axis, values in enumerate(axes):
            torch.sub(values, values.gather(1, last), out=delta)
            if axis == 0:
                torch.mul(delta, delta, out=distance)
            else:
                distance.addcmul_(delta, delta)
        torch.minimum(nearest, distance, out=nearest)
        # Below every distance, so that a chosen point is never chosen again among coinciding ones.
        nearest.scatter_(1, last, -1.0)
        last = nearest.argmax(dim=1, keepdim=True)
    return index


def _by_mmcv(ops: Any, points: Tensor, num: int, first: Tensor) -> Tensor:
    # The kernel always starts at point 0, so the wanted start changes places with it before and after.
    cloud = torch.arange(points.shape[0], device=points.device)
    swapped = points.clone(memory_format=torch.contiguous_format)
    swapped[:, 0] = points[cloud, first]
    swapped[cloud, first] = points[:, 0]
    with cuda_guard(points):
        found = ops.furthest_point_sample(swapped, num).to(torch.int64)
    start = first[:, None]
    return torch.where(found == 0, start, torch.where(found == start, 0, found))
