"""Contrast against a queue of earlier keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.registry import LOSSES

__all__ = ['CutMixInfoNCELoss', 'QueueInfoNCELoss']


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


@LOSSES.register_module()
class CutMixInfoNCELoss(nn.Module):
    """Which two clouds a mixture was made of, among all keys of the batch and the queue (Point-BERT; METHODS 2.1).

    ``u * CE(own) + (1 - u) * CE(partner)`` of [q.keys ; q.queue] / tau, u the share of the own cloud.

    Args:
        temperature (float): tau.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, query: Tensor, keys: Tensor, queue: Tensor, share: Tensor, own: Tensor, partner: Tensor
    ) -> Tensor:
        """Losses of mixtures.

        Args:
            query (Tensor): (B, D) features of the mixtures; normalised here.
            keys (Tensor): (R, D) keys of the plain clouds of all ranks, without gradient; normalised here.
            queue (Tensor): (K, D) of unit length.
            share (Tensor): (B,) in [0, 1].
            own (Tensor): (B,) int64, row of ``keys`` that the share belongs to.
            partner (Tensor): (B,) int64, row that the rest belongs to.

        Returns:
            Tensor: (B,).
        """
        with torch.autocast(query.device.type, enabled=False):
            query, keys = F.normalize(query.float(), dim=1), F.normalize(keys.float(), dim=1)
            logits = torch.cat([query @ keys.T, query @ queue.T], dim=1) / self.temperature
            surprise = -F.log_softmax(logits, dim=1)
            of_own, of_partner = (surprise.gather(1, rows.unsqueeze(1)).squeeze(1) for rows in (own, partner))
            return share * of_own + (1 - share) * of_partner
