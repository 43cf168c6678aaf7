"""Contrast within a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.registry import LOSSES

__all__ = ['NTXentLoss', 'PairLoss', 'nt_xent']


def nt_xent(
    first: Tensor,
    second: Tensor,
    *,
    temperature: float = 0.1,
    all_first: Tensor | None = None,
    all_second: Tensor | None = None,
    all_valid: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """Normalised temperature-scaled cross entropy; both views give negatives (METHODS 1.4, SimCLR, CrossPoint).

    Every row of ``first`` is told from all rows of both views: with n valid pairs the denominator has 2n - 1 terms.

    Args:
        first (Tensor): (B, D) one view of the anchors; normalised here.
        second (Tensor): (B, D) the other view.
        temperature (float): tau.
        all_first (Tensor | None): (R, D) rows of all ranks, this rank's at ``offset``; ``first`` when None.
        all_second (Tensor | None): (R, D) likewise.
        all_valid (Tensor | None): (R,) bool; invalid pairs are neither anchors nor negatives. All valid when None.
        offset (int): place of this rank's first row among all rows.

    Returns:
        Tensor: (B,) half the sum of the two directions for every anchor; 0 where the pair is invalid.
    """
    with torch.autocast(first.device.type, enabled=False):
        first, second = F.normalize(first.float(), dim=1), F.normalize(second.float(), dim=1)
        all_first = first if all_first is None else F.normalize(all_first.float(), dim=1)
        all_second = second if all_second is None else F.normalize(all_second.float(), dim=1)
        anchors = torch.arange(first.shape[0], device=first.device)
        target = anchors + offset
        loss = _one_direction(first, all_first, all_second, all_valid, anchors, target, temperature)
        loss = 0.5 * (loss + _one_direction(second, all_second, all_first, all_valid, anchors, target, temperature))
        if all_valid is None:
            return loss
        return torch.where(all_valid[target], loss, loss.new_zeros(()))


def _one_direction(
    anchor: Tensor,
    same: Tensor,
    other: Tensor,
    valid: Tensor | None,
    anchors: Tensor,
    target: Tensor,
    temperature: float,
) -> Tensor:
    """(B,) -log of the positive's share, the anchor itself left out of the denominator."""
    to_same, to_other = anchor @ same.T / temperature, anchor @ other.T / temperature
    barred = torch.zeros_like(to_same, dtype=torch.bool)
    barred[anchors, target] = True
    to_same = to_same.masked_fill(barred, float('-inf'))
    if valid is not None:
        to_same = to_same.masked_fill(~valid, float('-inf'))
        # The positive stays even where invalid: its row is thrown away, and a row of -inf would give NaN gradients.
        to_other = to_other.masked_fill(~valid & ~barred, float('-inf'))
    return F.cross_entropy(torch.cat([to_other, to_same], dim=1), target, reduction='none')


class PairLoss(nn.Module):
    """A contrast of two sets of rows with its temperature, for configs.

    Args:
        temperature (float): tau.
    """

    def __init__(self, temperature: float, contrast: Callable[..., Tensor]) -> None:
        super().__init__()
        self.temperature, self.contrast = temperature, contrast

    def forward(self, first: Tensor, second: Tensor, **rows: Any) -> Tensor:
        """(B,) losses; the arguments are those of the function."""
        return self.contrast(first, second, temperature=self.temperature, **rows)


@LOSSES.register_module()
class NTXentLoss(PairLoss):
    """:func:`nt_xent` with its temperature."""

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__(temperature, nt_xent)
