"""Neighbours within a radius."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._checks import check_batched, check_pair
from ._mmcv import cuda_guard, fast_ops
from ._nearest import in_blocks, nearest_index
from ._precision import autocast_off, common_coordinates
from .gather import gather

__all__ = ['ball_query']


@torch.no_grad()
def ball_query(query: Tensor, reference: Tensor, radius: float, k: int) -> Tensor:
    """Up to k reference points strictly nearer than ``radius`` to every query (PointNet++).

    They are the k points of lowest index within the ball, in ascending order of index, not the k nearest: that is what
    pointnet2 and mmcv do. Fewer than k are filled up by repeating the first. Where the ball is empty, all
    k entries are the nearest point (the CUDA operations of others return point 0 there).

    On CUDA with a compiled mmcv its kernel is used. It has not been measured on a GPU yet.

    Args:
        query (Tensor): (B, M, 3) in any unit; computed in float32, float64 stays float64.
        reference (Tensor): (B, N, 3) in the same unit.
        radius (float): in that unit, > 0.
        k (int): how many entries per query, >= 1; it may exceed N.

    Returns:
        Tensor: (B, M, k) int64 index into ``reference``. No gradient.

    Raises:
        ValueError: if ``k`` or ``radius`` is not positive, ``reference`` has no point, or the shapes do not agree.
    """
    check_batched('ball_query', 'query', query, 3)
    check_batched('ball_query', 'reference', reference, 3)
    check_pair('ball_query', ('query', 'reference'), query, reference)
    if k < 1 or not radius > 0 or reference.shape[1] < 1:
        raise ValueError(
            f'ball_query: expected k >= 1, radius > 0 and at least one reference point, got k={k}, radius={radius} and '
            f'{reference.shape[1]} points; correct the one that is not positive.'
        )
    with autocast_off(query):
        query, reference = common_coordinates(query, reference)
        ops = fast_ops(query)
        if ops is None:
            return _reference(query, reference, radius, k)
        return _by_mmcv(ops, query, reference, radius, k)


def _reference(query: Tensor, reference: Tensor, radius: float, k: int) -> Tensor:
    (found,) = in_blocks(query, reference, lambda distance: (_first_inside(distance, radius, k),))
    return found


def _first_inside(distance: Tensor, radius: float, k: int) -> Tensor:
    size = distance.shape[2]
    number = torch.arange(size, device=distance.device)
    candidates = number.where(distance < radius, size)
    found = candidates.topk(min(k, size), dim=2, largest=False).values
    first = found[:, :, :1]
    first = first.where(first < size, distance.argmin(dim=2, keepdim=True))
    found = found.where(found < size, first)
    return torch.cat([found, first.expand(-1, -1, k - found.shape[2])], dim=2)


def _by_mmcv(ops: Any, query: Tensor, reference: Tensor, radius: float, k: int) -> Tensor:
    with cuda_guard(query):
        found = ops.ball_query(0.0, radius, k, reference.contiguous(), query.contiguous()).to(torch.int64)
    # An empty ball comes back as point 0, which cannot be told from a found point 0 without looking again.
    first = gather(reference, found[:, :, 0])
    empty = ((first - query).square().sum(dim=2) >= radius * radius)[:, :, None]
    return torch.where(empty, nearest_index(query, reference)[:, :, None], found)
