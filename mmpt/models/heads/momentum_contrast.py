"""Contrast of a view with the momentum encoder's view of the same cloud, against a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpt.models.layers import gather_rows, pool_tokens
from mmpt.registry import HEADS, LOSSES

from .base import Head
from .projector import projector

__all__ = ['MomentumContrastHead']


@HEADS.register_module()
class MomentumContrastHead(Head):
    """Queue contrast in the manner of MoCo (arXiv 1911.05722; unknown U8 of METHODS 1.2).

    The key projection is a moving average of the query projection and is updated before the keys are computed. The
    queue holds the keys of all ranks and is the same on every rank.

    Args:
        dim (int): C, channels of a token.
        query (str): a view of the online encoder.
        key (str): a view of the momentum encoder.
        pooling (Sequence[str]): parts of the cloud's feature.
        hidden_dim (int): width inside the projection.
        out_dim (int): width of keys and queries.
        queue_size (int): keys kept; a multiple of the global batch.
        momentum (float): of the key projection.
        loss (dict): from LOSSES.
    """

    def __init__(
        self,
        dim: int,
        query: str = 'masked',
        key: str = 'momentum',
        pooling: Sequence[str] = ('cls',),
        hidden_dim: int = 512,
        out_dim: int = 512,
        queue_size: int = 16384,
        momentum: float = 0.999,
        loss: dict | None = None,
    ) -> None:
        super().__init__()
        self.needs = (query, key)
        self.query, self.key, self.pooling, self.momentum = query, key, tuple(pooling), momentum
        self.projector = projector(len(self.pooling) * dim, hidden_dim, out_dim)
        self.key_projector = deepcopy(self.projector).requires_grad_(False)
        self.criterion = LOSSES.build(loss or {'type': 'QueueInfoNCELoss'})
        start = torch.randn(queue_size, out_dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer('queue', F.normalize(start, dim=1))
        self.register_buffer('position', torch.zeros((), dtype=torch.long))

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Contrast of this batch, then its keys join the queue."""
        query = self.projector(pool_tokens(step[self.query], self.pooling))
        with torch.no_grad():
            for old, new in zip(self.key_projector.parameters(), self.projector.parameters()):
                old.lerp_(new, 1 - self.momentum)
            key = F.normalize(self.key_projector(pool_tokens(step[self.key], self.pooling)).float(), dim=1)
        loss = self.criterion(query, key, self.queue.clone()).mean()
        self._enqueue(gather_rows(key))
        return {'loss': loss}, {}

    @torch.no_grad()
    def _enqueue(self, keys: Tensor) -> None:
        size, count = len(self.queue), len(keys)
        if size % count:
            raise ValueError(
                f'MomentumContrastHead: queue_size {size} is not a multiple of the global batch {count}; '
                'change one of the two in the config.'
            )
        place = (self.position + torch.arange(count, device=keys.device)) % size
        self.queue.index_copy_(0, place, keys)
        self.position.copy_((self.position + count) % size)
