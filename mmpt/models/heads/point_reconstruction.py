"""Point-level reconstruction: where the points of a hidden patch are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.models.layers import finer_scale, repeated_index, select_hidden, share_of_rows
from mmpt.ops import gather
from mmpt.registry import HEADS, LOSSES
from mmpt.structures import Mask, Patches, Reconstruction

from .base import Head

__all__ = ['PointReconstructionHead']


@HEADS.register_module()
class PointReconstructionHead(Head):
    """Coordinates of every hidden patch by one linear layer, compared by Chamfer distance (MMPT's PLR; Point-MAE).

    Prediction and target are relative to the patch centre. Provides the ``reconstruction``.

    Args:
        dim (int): C, channels of the hidden tokens.
        group_size (int): S, points predicted for a patch; those of the patch itself, except in Point-M2AE.
        loss (dict): from LOSSES; Chamfer l2 by default (unknown U4 of METHODS 1.2).
        scale (int): with an encoder of several scales, whose patches are predicted: so many below the coarsest. It must
            be the one that the decoder ends on.
    """

    needs = ('hidden', 'patches', 'mask')
    provides = ('reconstruction',)

    def __init__(self, dim: int, group_size: int, loss: dict | None = None, scale: int = 0) -> None:
        super().__init__()
        self.group_size, self.scale = group_size, scale
        self.predictor = nn.Linear(dim, 3 * group_size)
        self.criterion = LOSSES.build(loss or {'type': 'ChamferLoss'})

    def loss(self, step: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Chamfer distance over the hidden patches."""
        patches, mask = self.target(step)
        with torch.autocast(step['hidden'].device.type, enabled=False):  # coordinates are float32
            predicted = self.predictor(step['hidden'].float()).view(-1, self.group_size, 3)
        loss = share_of_rows(self.criterion(predicted, select_hidden(patches.points, mask)), len(predicted))
        return {'loss': loss}, {'reconstruction': self._by_sample(predicted, patches, mask)}

    def target(self, step: Mapping[str, Any]) -> tuple[Patches, Mask]:
        """The patches that are reconstructed where the mask hides them."""
        return finer_scale(step['patches'], step['mask'], self.scale)

    def _by_sample(self, predicted: Tensor, patches: Patches, mask: Mask) -> Reconstruction:
        """Rows of all samples as (B, M, S, 3).

        Where samples hide unequally many patches, the last one of each stands there as often as is needed: good for
        pictures, and without a gradient.
        """
        if mask.masked is not None:
            batch, count = mask.masked.shape
            centers = select_hidden(patches.centers, mask).view(batch, count, 3)
            return Reconstruction(predicted.view(batch, count, self.group_size, 3), centers)
        grid = predicted.new_zeros(*mask.hidden.shape, self.group_size * 3)
        grid[mask.hidden] = predicted.detach().flatten(1)
        index = repeated_index(mask.hidden)
        points = gather(grid, index).view(*index.shape, self.group_size, 3)
        return Reconstruction(points, gather(patches.centers, index))
