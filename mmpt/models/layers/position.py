"""Position embedding of patch centres."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ['PositionEmbed']


class PositionEmbed(nn.Sequential):
    """3 -> hidden -> GELU -> dim, applied to centre coordinates (Point-BERT, section 3.1).

    The layer that reads coordinates stays in float32 under autocast: bfloat16 keeps 8 bits of a coordinate.

    Args:
        dim (int): C.
        hidden (int): width between.
    """

    def __init__(self, dim: int, hidden: int = 128) -> None:
        super().__init__(nn.Linear(3, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, centers: Tensor) -> Tensor:
        """(B, V, 3) -> (B, V, C)."""
        with torch.autocast(centers.device.type, enabled=False):
            x = self[0](centers.float())
        return self[2](self[1](x))
