"""Losses of token prediction."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.registry import LOSSES

__all__ = ['FeatureRegressionLoss', 'TokenCrossEntropy']


@LOSSES.register_module()
class TokenCrossEntropy(nn.Module):
    """Mean cross entropy over hidden patches (Point-BERT, section 3.3).

    Args:
        label_smoothing (float): as in ``torch.nn.functional.cross_entropy``.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, ids: Tensor) -> Tensor:
        """(R, K) logits and (R,) int64 ids -> scalar; 0 for R = 0, with a gradient of 0."""
        if logits.shape[0] == 0:
            return logits.float().sum()
        return F.cross_entropy(logits.float(), ids, label_smoothing=self.label_smoothing)


@LOSSES.register_module()
class FeatureRegressionLoss(nn.Module):
    """Regression to a frozen teacher's features (unknown U1 of METHODS 1.2; ACT and ReCon use these two forms).

    Args:
        kind (str): ``'cosine'`` (1 - cosine) or ``'smooth_l1'`` (beta 1, mean over channels).
        reduction (str): ``'mean'`` over rows, or ``'none'``: one value a row.
    """

    def __init__(
        self, kind: Literal['cosine', 'smooth_l1'] = 'cosine', reduction: Literal['mean', 'none'] = 'mean'
    ) -> None:
        super().__init__()
        if kind not in ('cosine', 'smooth_l1'):
            raise ValueError(f"FeatureRegressionLoss: kind must be 'cosine' or 'smooth_l1', got {kind!r}.")
        if reduction not in ('mean', 'none'):
            raise ValueError(f"FeatureRegressionLoss: reduction must be 'mean' or 'none', got {reduction!r}.")
        self.kind, self.reduction = kind, reduction

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """(R, D) and (R, D) -> scalar, 0 for R = 0, with a gradient of 0; or (R,)."""
        predicted, target = predicted.float(), target.float()
        if self.kind == 'cosine':
            rows = 1 - F.cosine_similarity(predicted, target, dim=1)
        else:
            rows = F.smooth_l1_loss(predicted, target, reduction='none').mean(1)
        if self.reduction == 'none':
            return rows
        return rows.mean() if len(rows) else predicted.sum()
