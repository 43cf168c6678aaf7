"""Features of few places carried to many (PointNet++, arXiv 1706.02413)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.ops import three_interpolate

from .norm import BatchNorm

__all__ = ['FeaturePropagation', 'PointPropagation']


class _Residual(nn.Module):
    """Two linear layers with batch norms, a GELU between and one behind the sum."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(dim, dim)
        self.norm1 = BatchNorm(dim)
        self.linear2 = nn.Linear(dim, dim)
        self.norm2 = BatchNorm(dim)

    def forward(self, rows: Tensor) -> Tensor:
        inner = F.gelu(self.norm1(self.linear1(rows)))
        return F.gelu(self.norm2(self.linear2(inner)) + rows)


class FeaturePropagation(nn.Module):
    """Interpolate between the three nearest coarse places, put beside what the fine places have, and mix (Point-M2AE).

    Args:
        fine_dim (int): C, channels of the fine places, which stay.
        coarse_dim (int): channels of the coarse places.
        blocks (int): residual blocks behind the first layer.
    """

    def __init__(self, fine_dim: int, coarse_dim: int, blocks: int = 1) -> None:
        super().__init__()
        self.fuse = nn.Linear(fine_dim + coarse_dim, fine_dim)
        self.norm = BatchNorm(fine_dim)
        self.blocks = nn.ModuleList(_Residual(fine_dim) for _ in range(blocks))

    def forward(self, fine: Tensor, fine_centers: Tensor, coarse: Tensor, coarse_centers: Tensor) -> Tensor:
        """Carry.

        Args:
            fine (Tensor): (B, M, C).
            fine_centers (Tensor): (B, M, 3).
            coarse (Tensor): (B, N, coarse_dim).
            coarse_centers (Tensor): (B, N, 3) in the same frame; fewer than three are all used.

        Returns:
            Tensor: (B, M, C).
        """
        carried = three_interpolate(coarse, coarse_centers, fine_centers, min(3, coarse.shape[1]))
        rows = torch.cat([fine, carried.to(fine.dtype)], dim=-1).flatten(0, 1)
        rows = F.gelu(self.norm(self.fuse(rows)))
        for block in self.blocks:
            rows = block(rows)
        return rows.view(*fine.shape[:2], -1)


class PointPropagation(nn.Module):
    """Carry tokens to points, put them beside what the points have, and two layers with batch norm and ReLU.

    A point reads the tokens of its three nearest centres, weighted by one over the squared distance. The first layer
    runs on the tokens before they are carried, which changes no result, and no concatenation is built.

    Args:
        in_dim (int): channels of the tokens, of all places together.
        own_dim (int): channels that the points have.
        dims (tuple[int, int]): of the two layers.
    """

    def __init__(self, in_dim: int, own_dim: int, dims: tuple[int, int]) -> None:
        super().__init__()
        inner, outer = dims
        self.own_dim = own_dim
        self.carry = nn.Linear(in_dim + own_dim, inner)
        self.local = nn.Sequential(
            BatchNorm(inner), nn.ReLU(inplace=True), nn.Linear(inner, outer), BatchNorm(outer), nn.ReLU(inplace=True)
        )

    def forward(self, places: list[tuple[Tensor, Tensor]], points: Tensor, own: Tensor) -> Tensor:
        """Carry.

        Args:
            places (list[tuple[Tensor, Tensor]]): (B, V, C) tokens and their (B, V, 3) centres.
            points (Tensor): (B, N, 3) in the frame of the centres.
            own (Tensor): (B, N, own_dim) of the points: coordinates, or what small numbers stand beside them. Read in
                float32 under autocast, as bfloat16 keeps 8 bits of a coordinate.

        Returns:
            Tensor: (B, N, dims[1]).
        """
        *parts, of_own = self.carry.weight.split([*(features.shape[-1] for features, _ in places), self.own_dim], dim=1)
        with torch.autocast(points.device.type, enabled=False):
            x = F.linear(own.to(of_own.dtype), of_own, self.carry.bias)
        for (features, centers), weight in zip(places, parts):
            mixed = F.linear(features, weight)
            # Where points are the tokens, each has its own.
            if not torch.equal(centers, points):
                mixed = three_interpolate(mixed, centers, points, min(3, centers.shape[1]))
            x = x + mixed
        return self.local(x.flatten(0, 1)).unflatten(0, x.shape[:2])
