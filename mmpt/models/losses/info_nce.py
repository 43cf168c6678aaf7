"""Contrast of two modalities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpt.registry import LOSSES

from .nt_xent import PairLoss

__all__ = ['InfoNCELoss', 'info_nce']


def info_nce(
    first: Tensor,
    second: Tensor,
    *,
    temperature: float = 0.07,
    all_first: Tensor | None = None,
    all_second: Tensor | None = None,
    all_valid: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """Symmetric cross entropy of which row of the other modality is one's own (METHODS 9.5; as in CLIP).

    Unlike :func:`nt_xent`, rows of the same modality are no negatives: of n valid pairs the denominator has n terms.

    Args:
        first (Tensor): (B, D) one modality; normalised here.
        second (Tensor): (B, D) the other one.
        temperature (float): tau.
        all_first (Tensor | None): (R, D) rows of all ranks, this rank's at ``offset``; ``first`` when None.
        all_second (Tensor | None): (R, D) likewise.
        all_valid (Tensor | None): (R,) bool; invalid pairs are neither anchors nor negatives. All valid when None.
        offset (int): place of this rank's first row among all rows.

    Returns:
        Tensor: (B,) half the sum of the two directions for every pair; 0 where it is invalid.
    """
    with torch.autocast(first.device.type, enabled=False):
        first, second = F.normalize(first.float(), dim=1), F.normalize(second.float(), dim=1)
        all_first = first if all_first is None else F.normalize(all_first.float(), dim=1)
        all_second = second if all_second is None else F.normalize(all_second.float(), dim=1)
        target = torch.arange(len(first), device=first.device) + offset
        total = first.new_zeros(len(first))
        for anchor, others in ((first, all_second), (second, all_first)):
            logits = anchor @ others.T / temperature
            if all_valid is not None:
                # One's own stays even where invalid: the row is thrown away, one of -inf would give NaN gradients.
                barred = (~all_valid).expand_as(logits).scatter(1, target.unsqueeze(1), False)
                logits = logits.masked_fill(barred, float('-inf'))
            total = total + 0.5 * F.cross_entropy(logits, target, reduction='none')
        return total if all_valid is None else torch.where(all_valid[target], total, total.new_zeros(()))


@LOSSES.register_module()
class InfoNCELoss(PairLoss):
    """:func:`info_nce` with its temperature."""

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__(temperature, info_nce)
