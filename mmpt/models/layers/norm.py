"""Batch normalisation over all ranks on any device."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .distributed import all_reduce_sum, rank_and_world

__all__ = ['BatchNorm', 'Moments', 'synchronise_batch_norms']


class Moments(NamedTuple):
    """Sums over this rank's rows, of which there are ``count``, in float64.

    Attributes:
        count (int): R.
        total (Tensor): (C,) sum of the rows.
        squares (Tensor): (C,) sum of their squares.
    """

    count: int  # type: ignore[assignment]  # hides tuple.count, on purpose
    total: Tensor
    squares: Tensor


def _over_all_ranks(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Normalise the channels of (R, C, ...) by the statistics of all ranks' rows; ranks may hold 0 rows.

    Statistics are float32 and two-pass. No rows anywhere leave the running statistics as they are.
    """
    with torch.autocast(x.device.type, enabled=False):
        rows = x.float()
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = _sum(norm, rows.new_full((), float(rows.numel() // max(rows.shape[1], 1))))
        mean = _sum(norm, rows.sum(axes)) / count.clamp(min=1)
        centred = rows - mean.view(shape)
        var = _sum(norm, centred.square().sum(axes)) / count.clamp(min=1)
        _track(norm, mean, var, count)
        scale = torch.rsqrt(var + norm.eps) * norm.weight
        return torch.addcmul(norm.bias.view(shape), centred, scale.view(shape)).to(x.dtype)


@torch.no_grad()
def _track(norm: _BatchNorm, mean: Tensor, var: Tensor, count: Tensor) -> None:
    """Move the running statistics towards those of a batch of ``count`` rows."""
    share = norm.momentum * (count > 0).to(norm.running_mean.dtype)
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_((var * count / (count - 1).clamp(min=1)).to(norm.running_var.dtype), share)


def _alone(norm: _BatchNorm) -> bool:
    """Whether this process's rows are all there are. Who runs a model on one rank only sets ``norm.over_ranks``."""
    return rank_and_world()[1] == 1 or not norm.over_ranks


def _sum(norm: _BatchNorm, value: Tensor) -> Tensor:
    return value if _alone(norm) else all_reduce_sum(value)


def _torch_can(norm: _BatchNorm, x: Tensor) -> bool:
    """Whether torch's own kernel does it: one process's rows, and more than one value a channel in training."""
    return not norm.training or (_alone(norm) and x.numel() > x.shape[1])


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of (R, C) rows whose statistics are those of the whole batch of all ranks.

    torch's ``SyncBatchNorm`` has no CPU path; this one has the same state keys as ``nn.BatchNorm1d`` and gives, on
    every rank, what one process with all the rows would give, however unevenly they are spread.

    Args:
        num_features (int): C.
    """

    #: False: the statistics of this process's rows alone.
    over_ranks = True

    def forward(self, x: Any) -> Any:
        """(R, C) -> (R, C); for :meth:`scale_and_shift`, what it takes and returns."""
        if not isinstance(x, Tensor):
            return self._of_moments(x)
        return super().forward(x) if _torch_can(self, x) else _over_all_ranks(self, x)

    def scale_and_shift(self, moments: Moments | None) -> tuple[Tensor, Tensor]:
        """The norm of rows that are never built, as ``rows * scale + shift``.

        Args:
            moments (Moments | None): of this rank's rows in training, where the running statistics follow; None in
                evaluation.

        Returns:
            tuple[Tensor, Tensor]: scale and shift, (C,) each, with gradient to the moments.
        """
        # As a call, which hooks see: those that calibrate statistics (evaluation/features.py) count the rows.
        return self(moments)

    def _of_moments(self, moments: Moments | None) -> tuple[Tensor, Tensor]:
        mean, var = self.running_mean, self.running_var
        if moments is not None:
            total, squares = moments.total, moments.squares
            sums = _sum(self, torch.cat([total.new_full((1,), float(moments.count)), total, squares]))
            count, rest = sums[0].detach(), sums[1:]
            # float64 keeps the digits that a variance as a difference of squares costs.
            mean, squares = (rest / count.clamp(min=1)).chunk(2)
            var = (squares - mean.square()).clamp(min=0)
            _track(self, mean, var, count)
        scale = torch.rsqrt(var + self.eps) * self.weight
        shift = self.bias - mean * scale
        return scale.to(self.weight.dtype), shift.to(self.weight.dtype)


class _BatchNorm2d(nn.BatchNorm2d):
    over_ranks = True

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if _torch_can(self, x) else _over_all_ranks(self, x)


class _BatchNormAct2d(BatchNormAct2d):
    over_ranks = True

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
