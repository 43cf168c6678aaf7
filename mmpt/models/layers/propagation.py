"""Features of few places carried to many (PointNet++, arXiv 1706.02413)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpt.ops import three_interpolate

from .norm import BatchNorm

__all__ = ['FeaturePropagation']


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
