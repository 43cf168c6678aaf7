"""The projection in front of a contrast."""

from __future__ import annotations

from torch import nn

from mmpt.models.layers import BatchNorm

__all__ = ['projector']


def projector(in_dim: int, hidden_dim: int, out_dim: int, bias: bool = True) -> nn.Sequential:
    """Linear, batch norm over all ranks, ReLU, linear (CrossPoint, section 3.2)."""
    return nn.Sequential(
        nn.Linear(in_dim, hidden_dim, bias=bias),
        BatchNorm(hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, out_dim, bias=bias),
    )
