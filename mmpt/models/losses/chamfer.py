"""Chamfer distance as a loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from mmpt.ops import chamfer_distance
from mmpt.registry import LOSSES

__all__ = ['ChamferLoss']


@LOSSES.register_module()
class ChamferLoss(nn.Module):
    """Chamfer distance of point sets, averaged over all sets (METHODS 1.4; unknown U4 of 1.2).

    Args:
        norm (str): ``'l2'`` (sum of the two means of squared distances, the default), ``'l1'`` (half the sum of the
            two means of distances) or ``'l1+l2'`` (PointGPT).
    """

    def __init__(self, norm: Literal['l1', 'l2', 'l1+l2'] = 'l2') -> None:
        super().__init__()
        if norm not in ('l1', 'l2', 'l1+l2'):
            raise ValueError(f"ChamferLoss: norm must be 'l1', 'l2' or 'l1+l2', got {norm!r}.")
        self.norm = norm

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """(R, S, 3) and (R, T, 3) in one frame -> scalar; 0 for R = 0, with a gradient of 0."""
        if predicted.shape[0] == 0:
            return predicted.float().sum()
        if self.norm == 'l1+l2':
            return chamfer_distance(predicted, target, 'l1') + chamfer_distance(predicted, target, 'l2')
        return chamfer_distance(predicted, target, 'l1' if self.norm == 'l1' else 'l2')
