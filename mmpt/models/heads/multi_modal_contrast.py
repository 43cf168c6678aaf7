"""Multi-modal contrast: two views of a cloud, and the cloud with its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mmpt.models.layers import gather_rows, pool_tokens, rank_and_world, share_of_global_mean
from mmpt.registry import HEADS, LOSSES
from mmpt.structures import Tokens

from .base import Head
from .matching import matching_accuracy
from .projector import projector

__all__ = ['MultiModalContrastHead']


@HEADS.register_module()
class MultiModalContrastHead(Head):
    """NT-Xent between two views of a cloud and between their mean and its image (MMPT's MCL; CrossPoint 2203.00680).

    Negatives come from the batches of all ranks. Samples without an image take part in the contrast between views and
    stay out of the one with images. Where the second view is a reconstruction, visible patches are copied into it and
    the contrast is half solved by the copies; its accuracy is therefore logged on the predicted points alone
    (``intra_accuracy``), every ``monitor_interval`` steps.

    Args:
        dim (int): C, channels of a token.
        image_dim (int | None): D, channels of the image feature; None leaves the image term out.
        views (Sequence[str]): one or two views; with one there is no contrast between views.
        pooling (Sequence[str]): parts of the cloud's feature (unknown U6 of METHODS 1.2).
        hidden_dim (int): width inside the projections.
        out_dim (int): width of the common space.
        intra (float): weight of the contrast between views; 0 leaves it out.
        cross (float): weight of the contrast with images; 0 leaves it out.
        loss (dict): from LOSSES.
        monitor_interval (int): steps between measurements of the accuracy without copied points.
        image_hidden_dim (int | None): width inside the projection of images, where it is not ``hidden_dim``.
        joint (bool): project both views as one batch, so that the norm inside counts them together (CrossPoint).
    """

    def __init__(
        self,
        dim: int,
        image_dim: int | None = None,
        views: Sequence[str] = ('full', 'reconstructed'),
        pooling: Sequence[str] = ('cls', 'max'),
        hidden_dim: int = 512,
        out_dim: int = 256,
        intra: float = 1.0,
        cross: float = 1.0,
        loss: dict | None = None,
        monitor_interval: int = 50,
        image_hidden_dim: int | None = None,
        joint: bool = False,
    ) -> None:
        super().__init__()
        self.views = tuple(views)
        self.pooling = tuple(pooling)
        self.intra = intra if len(self.views) == 2 else 0.0
        self.cross = cross if image_dim is not None else 0.0
        if len(self.views) not in (1, 2) or not (self.intra or self.cross):
            raise ValueError(
                f'MultiModalContrastHead: views {self.views} with intra={intra}, cross={cross}, image_dim={image_dim} '
                'leave nothing to contrast; give two views, or one view and an image encoder.'
            )
        self.needs = self.views + (('images', 'image_rows', 'has_image') if self.cross else ())
        self.projector = projector(len(self.pooling) * dim, hidden_dim, out_dim)
        self.image_projector = None
        if self.cross:
            self.image_projector = projector(image_dim, image_hidden_dim or hidden_dim, out_dim, bias=False)
        self.criterion = LOSSES.build(loss or {'type': 'NTXentLoss'})
        self.monitor_interval = monitor_interval
        self.joint = joint
        self.joint_space = self.image_projector is not None

    def embed_points(self, tokens: Tokens) -> Tensor:
        """(B, out_dim) of the whole cloud, where training projects views."""
        return self.projector(pool_tokens(tokens, self.pooling))

    def embed_images(self, images: Tensor) -> Tensor:
        """(R, out_dim) of (R, image_dim) features."""
        return self.image_projector(images)

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Both contrasts and their accuracies."""
        projected = self._project([pool_tokens(step[view], self.pooling) for view in self.views])
        result: dict[str, Tensor] = {}
        total = projected[0].new_zeros(())
        if self.intra:
            everyone = torch.ones(len(projected[0]), dtype=torch.bool, device=projected[0].device)
            intra = self._contrast(projected[0], projected[1], everyone)
            total = total + self.intra * intra
            result['intra'] = intra.detach()
            result.update(self._monitor(step, projected))
        if self.cross:
            has_image = step['has_image']
            # Only samples with an image pass the projection, whose batch norm would else count blank rows.
            rows = self.image_projector(step['images'])
            images = rows.new_zeros(len(has_image), rows.shape[1]).index_copy(0, step['image_rows'], rows)
            mean = projected[0] if len(projected) == 1 else 0.5 * (projected[0] + projected[1])
            cross = self._contrast(mean, images, has_image)
            total = total + self.cross * cross
            result['cross'] = cross.detach()
            result['cross_accuracy'] = matching_accuracy(mean, images, has_image)
        return {'loss': total, **result}, {}

    def _project(self, features: list[Tensor]) -> Sequence[Tensor]:
        if self.joint:
            return self.projector(torch.cat(features)).chunk(len(features))
        return [self.projector(feature) for feature in features]

    def _contrast(self, first: Tensor, second: Tensor, valid: Tensor) -> Tensor:
        losses = self.criterion(
            first,
            second,
            all_first=gather_rows(first),
            all_second=gather_rows(second),
            all_valid=gather_rows(valid),
            offset=rank_and_world()[0] * len(first),
        )
        return share_of_global_mean(losses, valid)

    @torch.no_grad()
    def _monitor(self, step: Mapping[str, Any], projected: Sequence[Tensor]) -> dict[str, Tensor]:
        first, second = projected
        without_copies = f'{self.views[1]}/without_copies'
        if without_copies in step:
            if step['draws'].step % self.monitor_interval or step[without_copies] is None:
                return {}
            first, second = (self._measure(tokens) for tokens in step[without_copies])
        everyone = torch.ones(len(first), dtype=torch.bool, device=first.device)
        return {'intra_accuracy': matching_accuracy(first, second, everyone)}

    def _measure(self, tokens: Tokens) -> Tensor:
        """Project with the running statistics, which stay as they are: a measurement must not change the model."""
        was_training = self.projector.training
        self.projector.eval()
        try:
            return self.projector(pool_tokens(tokens, self.pooling))
        finally:
            self.projector.train(was_training)
