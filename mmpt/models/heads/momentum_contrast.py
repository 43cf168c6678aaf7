"""Contrast of a view with the momentum encoder's view of the same cloud, against a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpt.models.layers import gather_rows, init_trunc_normal, pool_tokens, rank_and_world
from mmpt.registry import HEADS, LOSSES

from .base import Head
from .projector import projector

__all__ = ['MomentumContrastHead']


@HEADS.register_module()
class MomentumContrastHead(Head):
    """Queue contrast in the manner of MoCo (arXiv 1911.05722; unknown U8 of METHODS 1.2), also of mixed clouds.

    The key projection is a moving average of the query projection and is updated before the keys are computed. The
    queue holds the keys of all ranks and is the same on every rank. A mixed view is contrasted with the keys of both
    of its clouds, among the keys of the batches of all ranks and the queue (Point-BERT, METHODS 2.1); both contrasts
    share projection and queue.

    Args:
        dim (int): C, channels of a token.
        query (str | None): a view of the online encoder; None leaves its contrast out.
        key (str): a view of the momentum encoder.
        mixed (str | None): a view with ``source='mixed'``; None leaves its contrast out.
        pooling (Sequence[str]): parts of the cloud's feature.
        hidden_dim (int): width inside the projection.
        out_dim (int): width of keys and queries.
        queue_size (int): keys kept; a multiple of the global batch.
        momentum (float): of the key projection.
        norm (bool): batch norm inside the projection.
        activation (str): of the projection, ``'relu'`` or ``'gelu'``.
        init (str): of the projection, ``'default'`` (torch's) or ``'trunc_normal'`` (0.02, Point-BERT).
        loss (dict): of the query, from LOSSES.
        mixed_loss (dict): of the mixed view, from LOSSES.
    """

    def __init__(
        self,
        dim: int,
        query: str | None = 'masked',
        key: str = 'momentum',
        mixed: str | None = None,
        pooling: Sequence[str] = ('cls',),
        hidden_dim: int = 512,
        out_dim: int = 512,
        queue_size: int = 16384,
        momentum: float = 0.999,
        norm: bool = True,
        activation: Literal['relu', 'gelu'] = 'relu',
        init: Literal['default', 'trunc_normal'] = 'default',
        loss: dict | None = None,
        mixed_loss: dict | None = None,
    ) -> None:
        super().__init__()
        if query is None and mixed is None:
            raise ValueError('MomentumContrastHead: query=None and mixed=None leave nothing to contrast; name a view.')
        self.query, self.key, self.mixed = query, key, mixed
        self.needs = tuple(view for view in (query, key, mixed) if view) + ((f'{mixed}/share',) if mixed else ())
        self.pooling, self.momentum = tuple(pooling), momentum
        self.projector = projector(len(self.pooling) * dim, hidden_dim, out_dim, norm=norm, activation=activation)
        if init == 'trunc_normal':
            self.projector.apply(init_trunc_normal)
        self.key_projector = deepcopy(self.projector).requires_grad_(False)
        self.criterion = LOSSES.build(loss or {'type': 'QueueInfoNCELoss'})
        self.mixed_criterion = LOSSES.build(mixed_loss or {'type': 'CutMixInfoNCELoss'})
        start = torch.randn(queue_size, out_dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer('queue', F.normalize(start, dim=1))
        self.register_buffer('position', torch.zeros((), dtype=torch.long))

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Contrast of this batch, then its keys join the queue."""
        query, mixed = (
            self.projector(pool_tokens(step[view], self.pooling)) if view else None for view in (self.query, self.mixed)
        )
        with torch.no_grad():
            for old, new in zip(self.key_projector.parameters(), self.projector.parameters()):
                old.lerp_(new, 1 - self.momentum)
            key = F.normalize(self.key_projector(pool_tokens(step[self.key], self.pooling)).float(), dim=1)
            keys = gather_rows(key)
        queue, result = self.queue.clone(), {}
        if query is not None:
            result['plain'] = self.criterion(query, key, queue).mean()
        if mixed is not None:
            own = rank_and_world()[0] * len(mixed) + torch.arange(len(mixed), device=mixed.device)
            partner = len(keys) - 1 - own  # as the view mixes them
            share = step[f'{self.mixed}/share']
            result['mixed'] = self.mixed_criterion(mixed, keys, queue, share, own, partner).mean()
        self._enqueue(keys)
        total = torch.stack(list(result.values())).sum()
        return {'loss': total, **{name: value.detach() for name, value in result.items()}}, {}

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
