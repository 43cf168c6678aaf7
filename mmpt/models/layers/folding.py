"""A square folded into a piece of surface."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .norm import BatchNorm

__all__ = ['Folding']


class Folding(nn.Module):
    """A regular square folded twice, as a feature says (FoldingNet, arXiv 1712.07262).

    The first fold reads [feature ; place on the square in [-1, 1] x [-1, 1]], the second [feature ; point of the
    first]. Layers that read coordinates, and those that give some, stay in float32 under autocast.

    Args:
        dim (int): channels of a feature.
        side (int): points along each edge of the square.
        hidden (int): width of a fold's first layer; the second has half of it.
    """

    def __init__(self, dim: int, side: int = 8, hidden: int = 512) -> None:
        super().__init__()
        self.first, self.second = _Fold(dim, 2, hidden), _Fold(dim, 3, hidden)
        edge = torch.linspace(-1, 1, side)
        self.register_buffer('grid', torch.cartesian_prod(edge, edge)[None], persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(R, dim) -> (R, side * side, 3) float32, around the origin."""
        return self.second(features, self.first(features, self.grid))


class _Fold(nn.Module):
    """A perceptron of three layers over (R, dim) features and (R or 1, K, places) coordinates.

    Its first layer is applied to the two apart and added, so that the feature's part runs once a feature.
    """

    def __init__(self, dim: int, places: int, hidden: int) -> None:
        super().__init__()
        self.feature, self.place = nn.Linear(dim, hidden), nn.Linear(places, hidden, bias=False)
        self.between = nn.Sequential(
            BatchNorm(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden // 2),
            BatchNorm(hidden // 2),
            nn.ReLU(inplace=True),
        )
        self.out = nn.Linear(hidden // 2, 3)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            moved = self.place(places)
        x = self.feature(features).unsqueeze(1) + moved
        rows, points = x.shape[:2]
        x = self.between(x.flatten(0, 1))
        with torch.autocast(features.device.type, enabled=False):
            return self.out(x.to(self.out.weight.dtype)).view(rows, points, 3)
