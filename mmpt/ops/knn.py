"""The k nearest neighbours."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, overload

import torch
from torch import Tensor

from ._checks import check_batched, check_pair
from ._mmcv import cuda_guard, fast_ops
from ._nearest import in_blocks
from ._precision import autocast_off, common_coordinates
from .gather import gather

__all__ = ['Neighbours', 'knn']

# mmcv's kernel keeps the neighbours of a query in an array of this many entries.
_MMCV_LIMIT = 100


class Neighbours(NamedTuple):
    """What :func:`knn` finds when it is asked for distances too.

    Attributes:
        index (Tensor): (B, M, k) int64 into the reference points, nearest first.
        distance (Tensor): (B, M, k) Euclidean distance in the unit of the points.
    """

    index: Tensor  # type: ignore[assignment]  # hides tuple.index, on purpose
    distance: Tensor


@overload
def knn(query: Tensor, reference: Tensor, k: int, *, return_distance: Literal[False] = ...) -> Tensor: ...
@overload
def knn(query: Tensor, reference: Tensor, k: int, *, return_distance: Literal[True]) -> Neighbours: ...


@torch.no_grad()
def knn(query: Tensor, reference: Tensor, k: int, *, return_distance: bool = False) -> Tensor | Neighbours:
    """The k reference points nearest to every query, nearest first.

    Equal distances (as rounded to float32) are ordered by index, so the result is the same in every run; for float64
    their order is left open. With D <= 3 distances come from coordinate differences; with more from a matrix
    product where the sets are large, which makes two distances equal that differ by less than about 1e-3 of the norms.
    Memory is bounded: queries go in blocks.

    On CUDA with a compiled mmcv, for D = 3 and k < 100, its kernel is used; it leaves the order of ties open. It has
    not been measured on a GPU yet.

    Args:
        query (Tensor): (B, M, D) in any unit; computed in float32, float64 stays float64.
        reference (Tensor): (B, N, D) in the same unit.
        k (int): how many neighbours, 1 <= k <= N. A query that is itself a reference point finds itself.
        return_distance (bool): return :class:`Neighbours` instead of the index alone.

    Returns:
        Tensor | Neighbours: index (B, M, k) int64, nearest first, and on request the distances. No gradient.

    Raises:
        ValueError: if ``k`` does not fit or the shapes do not agree.
    """
    check_batched('knn', 'query', query)
    check_batched('knn', 'reference', reference)
    check_pair('knn', ('query', 'reference'), query, reference)
    size = reference.shape[1]
    if not 1 <= k <= size:
        raise ValueError(
            f'knn: asked for {k} neighbours among {size} points; ask for 1 to {size}, or pass clouds with more points.'
        )
    with autocast_off(query):
        query, reference = common_coordinates(query, reference)
        ops = fast_ops(query) if query.shape[2] == 3 and k < _MMCV_LIMIT else None
        found = _reference(query, reference, k) if ops is None else _by_mmcv(ops, query, reference, k)
    return found if return_distance else found.index


def _reference(query: Tensor, reference: Tensor, k: int) -> Neighbours:
    return Neighbours(*in_blocks(query, reference, lambda distance: _smallest(distance, k)))


def _smallest(distance: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of every row, ascending."""
    if distance.dtype == torch.float64:
        values, index = distance.topk(k, dim=2, largest=False)
        return index, values
    # Non-negative floats order like their bits. With the index in the low half no two keys are equal: ties are settled.
    key = distance.view(torch.int32).to(torch.int64).bitwise_left_shift_(32)
    key.bitwise_or_(torch.arange(distance.shape[2], device=distance.device))
    key = (
        _partitioned(key, k).sort(dim=2).values
        if key.device.type == 'cpu'
        else key.topk(k, dim=2, largest=False).values
    )
    values = (key >> 32).to(torch.int32).view(torch.float32)
    return key.bitwise_and_(0xFFFFFFFF), values


@torch.compiler.disable
def _partitioned(key: Tensor, k: int) -> Tensor:
    """The k smallest of every row in any order; ``key`` is overwritten.

    numpy's quickselect uses the vector unit (AVX2, AVX-512), torch's topk does not: tools/benchmarks/ops.py times
    the whole search.
    """
    key.numpy().partition(k - 1, axis=-1)
    return key[..., :k]


def _by_mmcv(ops: Any, query: Tensor, reference: Tensor, k: int) -> Neighbours:
    with cuda_guard(query):
        found = ops.knn(k, reference.contiguous(), query.contiguous(), False)
    index = found.transpose(1, 2).to(torch.int64)
    return Neighbours(index, (gather(reference, index) - query[:, :, None]).norm(dim=3))
