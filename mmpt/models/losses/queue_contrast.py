"""Contrast against a queue of earlier keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.registry import LOSSES

__all__ = ['QueueInfoNCELoss']


@LOSSES.register_module()
class QueueInfoNCELoss(nn.Module):
    """Cross entropy of [q.k+ ; q.queue] / tau with the positive first (MoCo; METHODS 1.4, unknown U8 of 1.2).

    Args:
        temperature (float): tau.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, query: Tensor, key: Tensor, queue: Tensor) -> Tensor:
        """(B, D) queries, (B, D) keys without gradient, (K, D) unit queue -> (B,) losses."""
        with torch.autocast(query.device.type, enabled=False):
            query, key = F.normalize(query.float(), dim=1), F.normalize(key.float(), dim=1)
            positive = (query * key).sum(1, keepdim=True)
            logits = torch.cat([positive, query @ queue.T], dim=1) / self.temperature
            return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long), reduction='none')
