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
        kind (str): ``'cosine'`` (1 - cosine) or ``'smooth_l1'``.
    """

    def __init__(self, kind: Literal['cosine', 'smooth_l1'] = 'cosine') -> None:
        super().__init__()
        if kind not in ('cosine', 'smooth_l1'):
            raise ValueError(f"FeatureRegressionLoss: kind must be 'cosine' or 'smooth_l1', got {kind!r}.")
        self.kind = kind

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """(R, D) and (R, D) -> scalar; 0 for R = 0, with a gradient of 0."""
        predicted = predicted.float()
        if predicted.shape[0] == 0:
            return predicted.sum()
        if self.kind == 'cosine':
            return 1 - F.cosine_similarity(predicted, target.float(), dim=1).mean()
        return F.smooth_l1_loss(predicted, target.float())
