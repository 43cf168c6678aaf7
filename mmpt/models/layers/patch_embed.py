"""The mini-PointNet that turns a patch of points into one token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .linear_max import linear_max
from .norm import BatchNorm

__all__ = ['PatchEmbed']


class PatchEmbed(nn.Module):
    """Two shared perceptrons with a maximum after each (Point-BERT, section 3.1; the layer widths are its code's).

    The second perceptron reads [maximum of the patch ; point], a concatenation that is never built: a linear layer on
    it is the sum of one linear layer of the patch and one of the point, and the latter composes with the linear layer
    before it (no activation stands between them). Same function, about 40 % fewer multiplications.

    Args:
        in_channels (int): channels of a point, 3 coordinates and F features.
        dim (int): C, channels of a token.
        widths (tuple[int, int, int]): hidden, patch and joint widths; 128, 256 and 512 in the ancestors.
    """

    def __init__(self, in_channels: int = 3, dim: int = 384, widths: tuple[int, int, int] = (128, 256, 512)) -> None:
        super().__init__()
        hidden, patch, joint = widths
        self.linear1 = nn.Linear(in_channels, hidden)
        self.norm1 = BatchNorm(hidden)
        self.linear2 = nn.Linear(hidden, patch)
        self.linear3 = nn.Linear(2 * patch, joint)
        self.norm2 = BatchNorm(joint)
        self.linear4 = nn.Linear(joint, dim)

    def forward(self, points: Tensor) -> Tensor:
        """(B, G, S, 3 + F) -> (B, G, C)."""
        batch, groups, size, _ = points.shape
        with torch.autocast(points.device.type, enabled=False):  # bfloat16 keeps 8 bits of a coordinate
            point = F.relu(self.norm1(self.linear1(points.flatten(0, 2).float())), inplace=True)
        patch = linear_max(point, size, self.linear2)
        from_patch, from_point = self.linear3.weight.chunk(2, dim=1)
        joint = F.linear(point, from_point @ self.linear2.weight, from_point @ self.linear2.bias)
        joint = joint.view(batch * groups, size, -1) + F.linear(patch, from_patch, self.linear3.bias).unsqueeze(1)
        joint = F.relu(self.norm2(joint.flatten(0, 1)), inplace=True)
        return linear_max(joint, size, self.linear4).view(batch, groups, -1)
