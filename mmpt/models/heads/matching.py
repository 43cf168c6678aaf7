"""How often a row finds its own among others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['matching_accuracy']


@torch.no_grad()
def matching_accuracy(first: Tensor, second: Tensor, valid: Tensor) -> Tensor:
    """Share of this rank's valid rows of ``first`` whose nearest valid row of ``second`` is their own.

    Args:
        first (Tensor): (B, D).
        second (Tensor): (B, D).
        valid (Tensor): (B,) bool.

    Returns:
        Tensor: scalar; 0 where nothing is valid.
    """
    similarity = F.normalize(first.float(), dim=1) @ F.normalize(second.float(), dim=1).T
    nearest = similarity.masked_fill(~valid, float('-inf')).argmax(1)
    right = (nearest == torch.arange(len(first), device=first.device)) & valid
    return right.sum() / valid.sum().clamp(min=1)
