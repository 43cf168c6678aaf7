"""Mathematics alone: tensors in, a scalar out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmpt.registry import LOSSES

__all__ = ['CrossCorrelationLoss']


@LOSSES.register_module()
class CrossCorrelationLoss(nn.Module):
    """The correlation matrix of two features, over the batch, is to be the identity (arXiv 2103.03230).

    Args:
        redundancy (float): weight of what is off the diagonal.
    """

    def __init__(self, redundancy: float = 0.02) -> None:
        super().__init__()
        self.redundancy = redundancy

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(B, C) and (B, C) -> scalar; B is 2 or more."""
        correlation = _standardise(first).T @ _standardise(second) / len(first)
        diagonal = torch.diagonal(correlation)
        off = correlation.square().sum() - diagonal.square().sum()
        return ((1 - diagonal).square().sum() + self.redundancy * off) / len(diagonal)


def _standardise(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(0)
    return centred / (centred.square().mean(0) + 1e-5).sqrt()
