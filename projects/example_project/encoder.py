"""An encoder without patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmpt.models.layers import BatchNorm
from mmpt.registry import ENCODERS
from mmpt.structures import Tokens

__all__ = ['TinyPointNet']


@ENCODERS.register_module()
class TinyPointNet(nn.Module):
    """PointNet (arXiv 1612.00593) without its input transforms: one token for every point.

    A second round sees each point beside the maximum over all points, so that a token knows the shape it is part of.

    Args:
        in_channels (int): 3 coordinates and F features of a point.
        dim (int): C, channels of a token.
    """

    # Without patches there is nothing to hide; the pretrainer refuses a config that masks this encoder.
    supports_masking = False

    def __init__(self, in_channels: int = 3, dim: int = 128) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.dim = dim
        self.local = nn.Sequential(
            nn.Linear(in_channels, dim // 2),
            BatchNorm(dim // 2),
            nn.ReLU(),
            nn.Linear(dim // 2, dim),
            BatchNorm(dim),
            nn.ReLU(),
        )
        self.joint = nn.Sequential(nn.Linear(2 * dim, dim), BatchNorm(dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, points: Tensor) -> Tokens:
        """Encode clouds.

        Args:
            points (Tensor): (B, N, 3 + F), coordinates first.

        Returns:
            Tokens: (B, N, C), a token for every point, with the points as their centres.
        """
        batch, count = points.shape[:2]
        local = self.local(points[..., : self.in_channels].flatten(0, 1)).view(batch, count, self.dim)
        shape = local.amax(1, keepdim=True).expand_as(local)
        tokens = self.joint(torch.cat([local, shape], dim=-1).flatten(0, 1)).view(batch, count, self.dim)
        return Tokens(tokens, points[..., :3], {})
