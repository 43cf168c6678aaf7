"""Batch normalisation over all ranks on any device."""

from __future__ import annotations

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .distributed import all_reduce_sum, rank_and_world

__all__ = ['BatchNorm', 'synchronise_batch_norms']


def _over_all_ranks(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Normalise the channels of (R, C, ...) by the statistics of all ranks' rows; ranks may hold 0 rows.

    Statistics are float32 and two-pass. No rows anywhere leave the running statistics as they are.
    """
    with torch.autocast(x.device.type, enabled=False):
        rows = x.float()
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = all_reduce_sum(rows.new_full((), float(rows.numel() // max(rows.shape[1], 1))))
        mean = all_reduce_sum(rows.sum(axes)) / count.clamp(min=1)
        centred = rows - mean.view(shape)
        var = all_reduce_sum(centred.square().sum(axes)) / count.clamp(min=1)
        with torch.no_grad():
            share = norm.momentum * (count > 0)
            norm.num_batches_tracked.add_(1)
            norm.running_mean.lerp_(mean.detach(), share)
            norm.running_var.lerp_(var.detach() * count / (count - 1).clamp(min=1), share)
        scale = torch.rsqrt(var + norm.eps) * norm.weight
        return torch.addcmul(norm.bias.view(shape), centred, scale.view(shape)).to(x.dtype)


def _torch_can(norm: _BatchNorm, x: Tensor) -> bool:
    """Whether torch's own kernel does it: a single process, and more than one value a channel in training."""
    return not norm.training or (rank_and_world()[1] == 1 and x.numel() > x.shape[1])


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of (R, C) rows whose statistics are those of the whole batch of all ranks.

    torch's ``SyncBatchNorm`` has no CPU path; this one has the same state keys as ``nn.BatchNorm1d`` and gives, on
    every rank, what one process with all the rows would give, however unevenly they are spread.

    Args:
        num_features (int): C.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(R, C) -> (R, C)."""
        return super().forward(x) if _torch_can(self, x) else _over_all_ranks(self, x)


class _BatchNorm2d(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if _torch_can(self, x) else _over_all_ranks(self, x)


class _BatchNormAct2d(BatchNormAct2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if _torch_can(self, x) else self.act(self.drop(_over_all_ranks(self, x)))


_SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm2d: _BatchNorm2d,
    BatchNormAct2d: _BatchNormAct2d,
}


def synchronise_batch_norms(model: nn.Module) -> None:
    """Let the batch norms of a foreign image model (timm) take the statistics of all ranks, in place.

    Only the class of the module changes; parameters, buffers and their names stay.
    """
    for module in model.modules():
        if type(module) in _SYNCHRONISED:
            module.__class__ = _SYNCHRONISED[type(module)]
