"""Rows of the hidden patches."""

from __future__ import annotations

from torch import Tensor

from mmpt.ops import gather
from mmpt.structures import Mask

__all__ = ['select_hidden']


def select_hidden(values: Tensor, mask: Mask) -> Tensor:
    """The rows of hidden patches, sample by sample in ascending order of the patch.

    Args:
        values (Tensor): (B, G, ...).
        mask (Mask): of G patches.

    Returns:
        Tensor: (R, ...) with R the number of hidden patches in the batch.
    """
    if mask.masked is None:
        return values[mask.hidden]
    tail = values.shape[2:]
    picked = gather(values.flatten(2) if values.dim() > 2 else values.unsqueeze(-1), mask.masked)
    return picked.reshape(-1, *tail)
