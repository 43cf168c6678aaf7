"""A task of your own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.models.heads import Head
from mmpt.models.layers import gather_rows, pool_tokens
from mmpt.registry import HEADS, LOSSES

__all__ = ['AgreementHead']


@HEADS.register_module()
class AgreementHead(Head):
    """Two views of a cloud are to have the same feature, and its channels are to say different things.

    Args:
        dim (int): C, channels of a token.
        views (tuple[str, str]): names of two views of the config.
        out_dim (int): width of the space they are compared in.
        loss (dict | None): from LOSSES.
    """

    def __init__(
        self, dim: int, views: tuple[str, str] = ('first', 'second'), out_dim: int = 128, loss: dict | None = None
    ) -> None:
        super().__init__()
        # What `step` must hold. The pretrainer checks it when it is built, and computes a view when it is first read.
        self.needs = tuple(views)
        self.projector = nn.Linear(2 * dim, out_dim)
        self.criterion = LOSSES.build(loss or {'type': 'CrossCorrelationLoss'})

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The loss, and how alike the two features of a cloud are on average (a monitor: logged, never added up)."""
        # Rows of all processes, so that several of them compute what one would with the whole batch.
        first, second = (
            gather_rows(self.projector(pool_tokens(step[view], ('max', 'mean')))).float() for view in self.needs
        )
        with torch.no_grad():
            similarity = torch.cosine_similarity(first, second).mean()
        return {'loss': self.criterion(first, second), 'similarity': similarity}, {}
