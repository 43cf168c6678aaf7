"""From one code to the points of a patch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm, normed_fold

__all__ = ['FoldingDecoder']


class FoldingDecoder(nn.Module):
    """Coarse points by a perceptron, then a small square folded at each (FoldingNet 1712.07262, PCN; Point-BERT).

    The perceptron of the fold reads [feature ; grid ; coarse point]; its first layer is applied to the feature and to
    its place apart and added, so that the feature's part runs once a patch.

    Args:
        dim (int): channels of a code's feature.
        group_size (int): S, a multiple of 4: S / 4 coarse points with a 2 x 2 square each.
        hidden (int): width of the coarse perceptron.
        fold (int): width of the fold.
    """

    def __init__(self, dim: int, group_size: int, hidden: int = 1024, fold: int = 512) -> None:
        super().__init__()
        if group_size % 4:
            raise ValueError(f'FoldingDecoder: group_size must be a multiple of 4 (2 x 2 squares), got {group_size}.')
        self.num_coarse = group_size // 4
        self.coarse = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 3 * self.num_coarse),
        )
        self.fold1 = nn.Linear(dim + 5, fold)
        self.norm1 = BatchNorm(fold)
        self.fold2 = nn.Linear(fold, fold)
        self.norm2 = BatchNorm(fold)
        self.fold3 = nn.Linear(fold, 3)
        side = torch.tensor([-0.05, 0.05])
        # The first coordinate runs fastest, as in Point-BERT, so that points come in its order.
        self.register_buffer('grid', torch.cartesian_prod(side, side).flip(1), persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(R, dim) -> coarse (R, S / 4, 3) and fine (R, S, 3), relative to the patch centre."""
        rows = features.shape[0]
        hidden = self.coarse[:-1](features)
        with torch.autocast(features.device.type, enabled=False):  # coordinates are float32
            coarse = self.coarse[-1](hidden.float()).view(rows, self.num_coarse, 3)
        per_patch, per_place = self.fold1.weight.split([features.shape[1], 5], dim=1)
        grid = self.grid.expand(rows, self.num_coarse, 4, 2)
        places = torch.cat([grid, coarse.unsqueeze(2).expand(-1, -1, 4, -1)], dim=3).flatten(1, 2)
        x = normed_fold(F.linear(features, per_patch, self.fold1.bias), places, per_place, self.norm1).flatten(0, 1)
        x = F.relu(self.norm2(self.fold2(x)), inplace=True)
        with torch.autocast(features.device.type, enabled=False):
            fine = self.fold3(x.float()).view(rows, self.num_coarse, 4, 3) + coarse.unsqueeze(2)
        return coarse, fine.flatten(1, 2)
