"""Contrast of samples that carry labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.registry import LOSSES

__all__ = ['LabelContrastLoss']


@LOSSES.register_module()
class LabelContrastLoss(nn.Module):
    """Each sample against all of another label; those of its own are averaged (ReCon's self-contrast, METHODS 2.4).

    The first logit of a row is the mean of its cosines with the rows of its label, itself included; every row of
    another label gives one more. What counts as a label is the caller's affair: with captions of a class this is
    training with the class.

    Args:
        temperature (float): tau.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self,
        rows: Tensor,
        labels: Tensor,
        *,
        all_rows: Tensor | None = None,
        all_labels: Tensor | None = None,
        all_valid: Tensor | None = None,
        offset: int = 0,
    ) -> Tensor:
        """Cross entropy of every row.

        Args:
            rows (Tensor): (B, D); normalised here.
            labels (Tensor): (B,) int64.
            all_rows (Tensor | None): (R, D) rows of all ranks, this rank's at ``offset``; ``rows`` when None.
            all_labels (Tensor | None): (R,) likewise.
            all_valid (Tensor | None): (R,) bool; invalid rows are neither anchors nor contrasted with. All valid when
                None.
            offset (int): place of this rank's first row among all rows.

        Returns:
            Tensor: (B,); 0 where the row is invalid.
        """
        with torch.autocast(rows.device.type, enabled=False):
            rows = F.normalize(rows.float(), dim=1)
            everyone = rows if all_rows is None else F.normalize(all_rows.float(), dim=1)
            labels_of_all = labels if all_labels is None else all_labels
            valid = torch.ones_like(labels_of_all, dtype=torch.bool) if all_valid is None else all_valid
            own = torch.arange(len(rows), device=rows.device) + offset
            same = (labels.unsqueeze(1) == labels_of_all) & valid
            # An invalid row is thrown away below; with itself as its only positive it gives no NaN until then.
            same[torch.arange(len(rows), device=rows.device), own] = True
            cosine = rows @ everyone.T
            positive = (cosine * same).sum(1) / same.sum(1) / self.temperature
            negative = (cosine / self.temperature).masked_fill(same | ~valid, float('-inf'))
            loss = torch.logsumexp(torch.cat([positive.unsqueeze(1), negative], dim=1), dim=1) - positive
            return torch.where(valid[own], loss, loss.new_zeros(()))
