"""Contrast of clouds by their captions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm, gather_rows, rank_and_world, share_of_global_mean
from mmpt.registry import HEADS, LOSSES

from .base import Head

__all__ = ['CaptionContrastHead']


@HEADS.register_module()
class CaptionContrastHead(Head):
    """Pulls clouds of equal captions together and all others apart (ReCon's self-contrast, off in its own config).

    **Where captions are those of a class, this trains with labels**: positives are the shapes of one class, and what is
    measured on such features afterwards is not self-supervised. No config uses it; it is here so that checkpoints that
    were trained with it convert, and are compared, as a whole. Samples without a caption stay out.

    Args:
        dim (int): C, channels of a token.
        hidden_dim (int): width inside the projection.
        out_dim (int): width of the space of the contrast.
        token (str): which global token.
        view (str): the view it is taken from.
        loss (dict | None): from LOSSES.
    """

    def __init__(
        self,
        dim: int,
        hidden_dim: int = 128,
        out_dim: int = 128,
        token: str = 'cls',
        view: str = 'masked',
        loss: dict | None = None,
    ) -> None:
        super().__init__()
        self.needs = (view, 'data_samples')
        self.token, self.view = token, view
        self.projector = nn.Sequential(
            nn.Linear(dim, hidden_dim),
            BatchNorm(hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, out_dim),
            BatchNorm(out_dim),
        )
        self.criterion = LOSSES.build(loss or {'type': 'LabelContrastLoss'})

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The contrast over the batch of all ranks."""
        rows = self.projector(step[self.view].globals[self.token])
        captions = [sample.get('caption') for sample in step['data_samples'] or [{}] * len(rows)]
        labels = torch.tensor([_number(caption) for caption in captions], device=rows.device)
        valid = torch.tensor([caption is not None for caption in captions], device=rows.device)
        everyone = gather_rows(valid)
        losses = self.criterion(
            rows,
            labels,
            all_rows=gather_rows(rows),
            all_labels=gather_rows(labels),
            all_valid=everyone,
            offset=rank_and_world()[0] * len(rows),
        )
        return {'loss': share_of_global_mean(losses, valid)}, {}


def _number(caption: str | None) -> int:
    """The same number for the same text in every process."""
    digest = hashlib.blake2b((caption or '').encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little', signed=True)
