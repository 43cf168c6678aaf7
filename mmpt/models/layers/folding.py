"""A square folded into a piece of surface."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .norm import BatchNorm, Moments

__all__ = ['Folding', 'normed_fold']


def normed_fold(features: Tensor, places: Tensor, weight: Tensor, norm: BatchNorm) -> Tensor:
    """``relu(norm(features + places @ weight.T))`` over all places of all features, without the sum before the norm.

    Mean and variance of the rows follow from the features, from the few coordinates of a place and from how both go
    together; the scale of the norm goes into the weight. Of three tensors of this size one is left, which a backward
    pass keeps. Same function and gradients as the plain form.

    Args:
        features (Tensor): (R, C) of the pieces.
        places (Tensor): (R, K, P), or (1, K, P) for the same places everywhere; float32, P small.
        weight (Tensor): (C, P).
        norm (BatchNorm): of C channels.

    Returns:
        Tensor: (R, K, C), float32 or the wider of the dtypes.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.to(weight.dtype)
        scale, shift = norm.scale_and_shift(_moments(features, places, weight) if norm.training else None)
        moved = F.linear(places, weight * scale.unsqueeze(1))
        return F.relu((features * scale + shift).unsqueeze(1) + moved, inplace=True)


def _moments(features: Tensor, places: Tensor, weight: Tensor) -> Moments:
    """Of the rows ``f_r + W p_rk``; float64, in which a difference of squares keeps its digits."""
    features, places, weight = features.double(), places.double(), weight.double()
    rows, count = len(features), places.shape[1]
    times = rows if len(places) == 1 else 1  # how often the same places count
    around = F.linear(places.sum(1), weight)  # (R or 1, C)
    spread = times * torch.einsum('rkp,rkq->pq', places, places)
    total = count * features.sum(0) + times * around.sum(0)
    squares = (features * (count * features + 2 * around)).sum(0) + ((weight @ spread) * weight).sum(1)
    return Moments(rows * count, total, squares)


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
        x = normed_fold(self.feature(features), places, self.place.weight, self.between[0])
        rows, points = x.shape[:2]
        x = self.between[2:](x.flatten(0, 1))
        with torch.autocast(features.device.type, enabled=False):
            return self.out(x.to(self.out.weight.dtype)).view(rows, points, 3)
