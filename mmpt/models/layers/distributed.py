"""Sums and gathers over all processes that let the gradient through; the identity in a single process.

The convention of the toolbox: every rank returns a loss of its own, the wrapper averages gradients over ranks. A sum
over ranks in the forward is therefore a sum over ranks in the backward as well.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = [
    'all_reduce_sum',
    'gather_rows',
    'rank_and_world',
    'same_on_all_ranks',
    'share_of_global_mean',
    'share_of_rows',
]


def rank_and_world() -> tuple[int, int]:
    """This process's rank and the number of processes; (0, 1) without a process group."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class _AllReduceSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        return total


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        # Every rank's loss reads these rows, so the gradient of each row is summed over ranks before it goes home.
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        rank = dist.get_rank()
        own = total.shape[0] // dist.get_world_size()
        return total[rank * own : (rank + 1) * own]


def all_reduce_sum(value: Tensor) -> Tensor:
    """Sum of ``value`` over all ranks, with gradient."""
    return value if rank_and_world()[1] == 1 else _AllReduceSum.apply(value)


def gather_rows(rows: Tensor) -> Tensor:
    """All ranks' rows in rank order, with gradient.

    Args:
        rows (Tensor): (B, ...), the same shape on every rank.

    Returns:
        Tensor: (world_size * B, ...).
    """
    return rows if rank_and_world()[1] == 1 else _GatherRows.apply(rows)


def share_of_global_mean(values: Tensor, valid: Tensor) -> Tensor:
    """This rank's share of the mean over the valid values of all ranks.

    Averaged over ranks (as gradients are) the shares give the exact global mean, however unevenly the valid values
    are spread. Nothing valid anywhere gives 0 with a gradient of exactly 0.

    Args:
        values (Tensor): (B,) one value per sample.
        valid (Tensor): (B,) bool.

    Returns:
        Tensor: scalar.
    """
    count = all_reduce_sum(valid.sum().to(values.dtype))
    total = torch.where(valid, values, values.new_zeros(())).sum()
    return total * rank_and_world()[1] / count.clamp(min=1)


def share_of_rows(mean: Tensor, rows: int) -> Tensor:
    """This rank's share of a mean over rows that ranks hold unequally many of; see :func:`share_of_global_mean`.

    Args:
        mean (Tensor): scalar, over this rank's rows.
        rows (int): how many these are.

    Returns:
        Tensor: scalar; ``mean`` itself in a single process.
    """
    world = rank_and_world()[1]
    if world == 1:
        return mean
    return mean * rows * world / all_reduce_sum(mean.new_full((), float(rows))).clamp(min=1)


def same_on_all_ranks(value: Tensor) -> None:
    """Overwrite a tensor by that of rank 0, where each rank has computed it for itself."""
    if rank_and_world()[1] > 1:
        dist.broadcast(value, 0)
