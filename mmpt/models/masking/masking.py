"""Which patches are hidden: functions of the patches and of the step's draws."""

from __future__ import annotations

import torch
from torch import Tensor

from mmpt.models.layers import StepDraws
from mmpt.registry import MODELS
from mmpt.structures import Mask, Patches

__all__ = ['BlockMasking', 'RandomMasking', 'complement', 'mask_from_scores']


def mask_from_scores(scores: Tensor, count: int) -> Mask:
    """Hide the ``count`` patches with the smallest scores of every sample.

    Args:
        scores (Tensor): (B, G).
        count (int): M, equal for all samples.

    Returns:
        Mask: with both indices in ascending order.
    """
    order = scores.argsort(dim=1, stable=True)
    masked, visible = order[:, :count].sort(dim=1).values, order[:, count:].sort(dim=1).values
    hidden = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, masked, True)
    return Mask(hidden, visible, masked)


def complement(mask: Mask) -> Mask:
    """The mask that hides what this one shows."""
    return Mask(~mask.hidden, mask.masked, mask.visible)


def _check_ratio(owner: str, ratio: float) -> None:
    if not 0 <= ratio < 1:
        raise ValueError(f'{owner}: the ratio of hidden patches must lie in [0, 1), got {ratio}.')


@MODELS.register_module()
class RandomMasking:
    """Hide ``int(ratio * G)`` patches of every sample, drawn without regard to place (Point-MAE, section 3.1).

    Args:
        ratio (float): share of hidden patches.
    """

    def __init__(self, ratio: float = 0.6) -> None:
        _check_ratio('RandomMasking', ratio)
        self.ratio = ratio

    def __call__(self, patches: Patches, draws: StepDraws, stream: str = 'mask') -> Mask:
        """Draw one mask a sample."""
        batch, groups = patches.centers.shape[:2]
        scores = draws.rand(stream, (batch, groups), patches.centers.device)
        return mask_from_scores(scores, int(self.ratio * groups))


@MODELS.register_module()
class BlockMasking:
    """Hide the ``int(ratio * G)`` patches nearest to a random one, itself included (Point-BERT, section 3.3).

    Args:
        ratio (float | tuple[float, float]): a share, or the bounds it is drawn from.
        per_sample (bool): with bounds, draw a ratio for every sample (Point-BERT; needs an encoder with
            ``mask_token=True``) instead of one for the batch.
    """

    def __init__(self, ratio: float | tuple[float, float] = (0.25, 0.45), per_sample: bool = False) -> None:
        low, high = ratio if isinstance(ratio, (tuple, list)) else (ratio, ratio)
        _check_ratio('BlockMasking', low)
        _check_ratio('BlockMasking', high)
        self.low, self.high, self.per_sample = low, high, per_sample and low != high

    def __call__(self, patches: Patches, draws: StepDraws, stream: str = 'mask') -> Mask:
        """Draw one block a sample."""
        centers = patches.centers
        batch, groups = centers.shape[:2]
        seed = (draws.rand(stream, (batch, 1), centers.device) * groups).long().clamp(max=groups - 1)
        around = centers.gather(1, seed.unsqueeze(-1).expand(-1, -1, 3))
        distance = (centers - around).square().sum(-1)
        if not self.per_sample:
            # One host-side draw a step: the count is a shape, so it has to be known on the host anyway.
            share = torch.rand((), generator=draws.generator(f'{stream}/ratio', 'cpu')).item()
            return mask_from_scores(distance, int((self.low + (self.high - self.low) * share) * groups))
        share = draws.rand(f'{stream}/ratio', (batch, 1), centers.device)
        count = ((self.low + (self.high - self.low) * share) * groups).long()
        rank = distance.argsort(dim=1, stable=True).argsort(dim=1)
        return Mask(rank < count, None, None)
