"""The maximum over the neighbours of every point, without building the edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ['neighbour_max']

# Entries gathered at once. On CPU they stay in the cache, where the maximum uses the vector unit; embedding_bag walks
# them one by one (tools/benchmarks/dgcnn_speed.py times the encoder). Elsewhere they only bound memory.
_BLOCK_CPU, _BLOCK_DEVICE = 1 << 19, 1 << 26


def neighbour_max(rows: Tensor, index: Tensor) -> Tensor:
    """``rows[index].amax(1)`` in the memory of one block of edges.

    Which neighbour was the largest is found on the way back alone. Between equal neighbours the first one takes the
    gradient, as with ``torch.max``.

    Args:
        rows (Tensor): (R, C) of any floating dtype.
        index (Tensor): (M, k) int64 into the rows, k at most 255.

    Returns:
        Tensor: (M, C).

    Raises:
        ValueError: more than 255 neighbours.
    """
    if index.shape[1] > 255:
        raise ValueError(f'neighbour_max: at most 255 neighbours of a point, got {index.shape[1]}.')
    return _NeighbourMax.apply(rows, index)


def _block(rows: Tensor, index: Tensor) -> int:
    entries = _BLOCK_CPU if rows.device.type == 'cpu' else _BLOCK_DEVICE
    return max(1, entries // (index.shape[1] * rows.shape[1]))


class _NeighbourMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, index: Tensor) -> Tensor:
        largest = rows.new_empty(len(index), rows.shape[1])
        size = _block(rows, index)
        for part, out in zip(index.split(size), largest.split(size)):
            torch.amax(rows.index_select(0, part.flatten()).view(*part.shape, -1), 1, out=out)
        ctx.save_for_backward(rows, index, largest)
        return largest

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        rows, index, largest = ctx.saved_tensors
        size, k = _block(rows, index), index.shape[1]
        # k for the first neighbour, 1 for the last: of those that equal the maximum the largest is the first. Bytes,
        # since this passes all edges; after a NaN, which equals nothing, the last neighbour takes the gradient.
        order = torch.arange(k, 0, -1, dtype=torch.uint8, device=rows.device).view(1, k, 1)
        of_rows = torch.zeros_like(rows)
        for part, top, arriving in zip(index.split(size), largest.split(size), grad.split(size)):
            edges = rows.index_select(0, part.flatten()).view(*part.shape, -1)
            first = ((edges == top.unsqueeze(1)).view(torch.uint8) * order).amax(1).clamp_(min=1)
            of_rows.scatter_add_(0, part.gather(1, k - first.long()), arriving)
        return of_rows, None
