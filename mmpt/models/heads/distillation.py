"""Distillation: a global token against what a frozen teacher makes of another modality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.models.layers import share_of_global_mean
from mmpt.registry import HEADS, LOSSES

from .base import Head

__all__ = ['DistillationHead']


@HEADS.register_module()
class DistillationHead(Head):
    """A linear layer from a global token to the teacher's feature of the sample's picture or caption (ReCon).

    Samples for which the teacher has nothing stay out of the mean, which is that of all ranks; where no sample has
    anything, the loss is 0 and its gradient exactly 0. Monitored is ``explained``, the share of the features' variance
    over the batch that the prediction explains: 0 is no better than their mean, and a teacher whose features hardly
    differ is not told from a good prediction by the loss alone.

    Args:
        dim (int): C, channels of a token.
        target_dim (int): D, channels of the teacher's features.
        target (str): the teacher's name: a neck that provides ``target`` (B, D) and ``target/valid`` (B,) bool.
        token (str): which global token.
        view (str): the view it is taken from.
        loss (dict | None): from LOSSES, giving one value a row; SmoothL1 (beta 1, mean over channels) by default.
    """

    def __init__(
        self,
        dim: int,
        target_dim: int,
        target: str = 'teacher/image',
        token: str = 'img',
        view: str = 'masked',
        loss: dict | None = None,
    ) -> None:
        super().__init__()
        self.needs = (view, target, f'{target}/valid')
        self.target, self.token, self.view = target, token, view
        self.projector = nn.Linear(dim, target_dim)
        self.criterion = LOSSES.build(
            loss or {'type': 'FeatureRegressionLoss', 'kind': 'smooth_l1', 'reduction': 'none'}
        )

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Regression of the samples that have a target.

        Raises:
            KeyError: the encoder has no such token.
            ValueError: the teacher's features are not ``target_dim`` wide.
        """
        tokens = step[self.view].globals
        if self.token not in tokens:
            raise KeyError(
                f'DistillationHead reads the token {self.token!r}, the encoder has {sorted(tokens)}: name it in '
                'encoder.global_tokens (ReConTransformer), or change token of the head.'
            )
        target, valid = step[self.target], step[f'{self.target}/valid']
        if target.shape[1] != self.projector.out_features:
            raise ValueError(
                f'DistillationHead(target_dim={self.projector.out_features}): the features of {self.target!r} are '
                f'{target.shape[1]} wide; set target_dim to that, or choose the teacher that the config was made for.'
            )
        predicted = self.projector(tokens[self.token])
        rows = self.criterion(predicted, target)
        if rows.shape != valid.shape:
            raise ValueError(
                f"DistillationHead: its loss gives {tuple(rows.shape)}, not one value a row: reduction='none'."
            )
        loss = share_of_global_mean(rows, valid)
        return {'loss': loss, 'explained': _explained(predicted, target, valid)}, {}


@torch.no_grad()
def _explained(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """1 - residual / variance of this rank's valid rows; 0 where there are fewer than two."""
    rows = valid.unsqueeze(1).float()
    mean = (target * rows).sum(0) / rows.sum().clamp(min=1)
    spread = ((target - mean).square() * rows).sum()
    residual = ((target - predicted.float()).square() * rows).sum()
    return torch.where(spread > 0, 1 - residual / spread.clamp(min=1e-12), spread.new_zeros(()))
