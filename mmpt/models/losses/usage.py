"""How evenly a vocabulary is used."""

from __future__ import annotations

import math
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.registry import LOSSES

__all__ = ['UniformUsageLoss']


@LOSSES.register_module()
class UniformUsageLoss(nn.Module):
    """KL(uniform || mean softmax) of the ids (METHODS 2.1).

    Args:
        over (str): ``'cloud'``, the mean over the patches of one cloud (Point-BERT), or ``'batch'``, over all patches
            of the batch: a cloud of 32 patches cannot use 512 ids evenly, a batch can.
    """

    def __init__(self, over: Literal['cloud', 'batch'] = 'cloud') -> None:
        super().__init__()
        if over not in ('cloud', 'batch'):
            raise ValueError(f"UniformUsageLoss: over must be 'cloud' or 'batch', got {over!r}.")
        self.over = over

    def forward(self, logits: Tensor) -> Tensor:
        """(B, G, K) logits -> scalar."""
        share = F.softmax(logits.float(), dim=-1).mean(1 if self.over == 'cloud' else (0, 1))
        uniform = 1.0 / logits.shape[-1]
        return (uniform * (math.log(uniform) - share.clamp(min=1e-20).log())).sum(-1).mean()
