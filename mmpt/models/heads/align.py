"""Point-image alignment: features of one modality, and of both, of the same sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.models.layers import gather_rows, pool_tokens, rank_and_world, share_of_global_mean
from mmpt.registry import HEADS, LOSSES
from mmpt.structures import Tokens

from .base import Head
from .matching import matching_accuracy
from .projector import projector

__all__ = ['AlignHead']


@HEADS.register_module()
class AlignHead(Head):
    """Contrasts the cloud, its picture and what a fusion made of both, pair by pair (Cross-BERT; METHODS 9.5).

    Negatives come from the batches of all ranks. Samples without a picture stay out of all pairs: they are neither
    anchors nor negatives, and no batch norm counts them.

    Args:
        dim (int): C, channels of a token.
        image_dim (int): D, channels of the image feature.
        points (str): the view of the cloud alone.
        fused (str): the tokens of both, which a neck provides.
        pooling (Sequence[str]): parts of the feature of ``points`` and of ``fused``.
        pairs (Sequence[tuple[str, str]]): of ``points``, ``image`` and ``fused``; the loss is the mean over pairs.
        hidden_dim (int): width inside the projections.
        out_dim (int): width of the common space.
        loss (dict): from LOSSES.
    """

    def __init__(
        self,
        dim: int,
        image_dim: int,
        points: str = 'masked',
        fused: str = 'fused',
        pooling: Sequence[str] = ('cls',),
        pairs: Sequence[Sequence[str]] = (('points', 'image'), ('points', 'fused'), ('image', 'fused')),
        hidden_dim: int = 512,
        out_dim: int = 256,
        loss: dict | None = None,
    ) -> None:
        super().__init__()
        widths = {'points': len(pooling) * dim, 'image': image_dim, 'fused': len(pooling) * dim}
        self.pairs = [tuple(pair) for pair in pairs]
        if not self.pairs or any(len(set(pair)) != 2 or not set(pair) <= set(widths) for pair in self.pairs):
            raise ValueError(f'AlignHead: pairs must be two different ones of {tuple(widths)} each, got {self.pairs}.')
        self.sources = {'points': points, 'image': 'images', 'fused': fused}
        self.pooling = tuple(pooling)
        sides = [side for side in widths if any(side in pair for pair in self.pairs)]
        self.needs = (*(self.sources[side] for side in sides), 'image_rows', 'has_image')
        self.projectors = nn.ModuleDict({side: projector(widths[side], hidden_dim, out_dim) for side in sides})
        self.criterion = LOSSES.build(loss or {'type': 'InfoNCELoss'})
        self.joint_space = {'points', 'image'} <= set(sides)

    def embed_points(self, tokens: Tokens) -> Tensor:
        """(B, out_dim) of the whole cloud alone, where training projects a view."""
        return self.projectors['points'](pool_tokens(tokens, self.pooling))

    def embed_images(self, images: Tensor) -> Tensor:
        """(R, out_dim) of (R, image_dim) features."""
        return self.projectors['image'](images)

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Every pair's contrast and accuracy, and their mean."""
        valid, rows = step['has_image'], step['image_rows']
        everyone, offset = gather_rows(valid), rank_and_world()[0] * len(valid)
        features = {side: self._project(step, side, rows, len(valid)) for side in self.projectors}
        gathered = {side: gather_rows(feature) for side, feature in features.items()}
        losses, monitors = [], {}
        for first, second in self.pairs:
            values = self.criterion(
                features[first],
                features[second],
                all_first=gathered[first],
                all_second=gathered[second],
                all_valid=everyone,
                offset=offset,
            )
            losses.append(share_of_global_mean(values, valid))
            monitors[f'{first}_{second}'] = losses[-1].detach()
            monitors[f'{first}_{second}_accuracy'] = matching_accuracy(features[first], features[second], valid)
        return {'loss': torch.stack(losses).mean(), **monitors}, {}

    def _project(self, step: Mapping[str, Any], side: str, rows: Tensor, batch: int) -> Tensor:
        """(B, out_dim); zeros for samples without a picture, which the projection does not see."""
        value = step[self.sources[side]]
        feature = self.projectors[side](value if side == 'image' else pool_tokens(value, self.pooling)[rows])
        return feature.new_zeros(batch, feature.shape[1]).index_copy(0, rows, feature)
