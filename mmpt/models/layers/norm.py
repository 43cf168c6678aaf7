"""Batch normalisation over all ranks on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .distributed import all_reduce_sum, rank_and_world

__all__ = ['BatchNorm']


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of (R, C) rows whose statistics are those of the whole batch of all ranks.

    torch's ``SyncBatchNorm`` has no CPU path; this one has the same state keys as ``nn.BatchNorm1d`` and gives, on
    every rank, what one process with all the rows would give. Statistics are taken in float32 under autocast. Every
    rank must hold equally many rows.

    Args:
        num_features (int): C.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(R, C) -> (R, C)."""
        world = rank_and_world()[1]
        if not self.training or world == 1:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            rows = x.float()
            count = rows.shape[0] * world
            mean = all_reduce_sum(rows.sum(0)) / count
            centred = rows - mean
            var = all_reduce_sum(centred.square().sum(0)) / count
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean.detach(), self.momentum)
                self.running_var.lerp_(var.detach() * (count / max(count - 1, 1)), self.momentum)
            out = torch.addcmul(self.bias, centred, torch.rsqrt(var + self.eps) * self.weight)
        return out.to(x.dtype)
