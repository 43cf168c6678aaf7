"""Rows of some patches."""

from __future__ import annotations

import torch
from torch import Tensor

from mmpt.ops import gather
from mmpt.structures import Mask

__all__ = ['padded_index', 'repeated_index', 'select_hidden']


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


def padded_index(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Where the chosen patches of every sample are, as many entries for each as the sample with the most has.

    Reads one number back from the device.

    Args:
        chosen (Tensor): (B, G) bool.

    Returns:
        tuple[Tensor, Tensor]: (B, K) int64 index of the chosen patches in ascending order, then of patches that are not
        chosen; no index twice. And (B, K) bool, True for the chosen ones.
    """
    order = (~chosen).to(torch.uint8).argsort(dim=1, stable=True)
    count = chosen.sum(1, keepdim=True)
    longest = int(count.max())
    return order[:, :longest], torch.arange(longest, device=chosen.device) < count


def repeated_index(chosen: Tensor) -> Tensor:
    """Likewise, the last chosen patch of a sample repeated instead: (B, G) bool -> (B, K) int64."""
    index, real = padded_index(chosen)
    last = (real.sum(1, keepdim=True) - 1).clamp(min=0)
    return index.gather(1, torch.arange(index.shape[1], device=index.device).minimum(last))
