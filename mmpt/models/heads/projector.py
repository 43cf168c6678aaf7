"""The projection in front of a contrast."""

from __future__ import annotations

from typing import Literal

from torch import nn

from mmpt.models.layers import BatchNorm

__all__ = ['projector']


def projector(
    in_dim: int,
    hidden_dim: int,
    out_dim: int,
    bias: bool = True,
    norm: bool = True,
    activation: Literal['relu', 'gelu'] = 'relu',
) -> nn.Sequential:
    """Linear, batch norm over all ranks, ReLU, linear (CrossPoint, section 3.2).

    Args:
        in_dim (int): channels of the feature.
        hidden_dim (int): width inside.
        out_dim (int): channels of the projection.
        bias (bool): of both linear layers.
        norm (bool): False leaves the batch norm out (Point-BERT).
        activation (str): ``'relu'`` or ``'gelu'`` (Point-BERT).

    Returns:
        nn.Sequential: (R, in_dim) -> (R, out_dim).

    Raises:
        ValueError: an unknown activation.
    """
    activations = {'relu': nn.ReLU(inplace=True), 'gelu': nn.GELU()}
    if activation not in activations:
        raise ValueError(f"projector: activation must be 'relu' or 'gelu', got {activation!r}.")
    layers: list[nn.Module] = [nn.Linear(in_dim, hidden_dim, bias=bias)]
    if norm:
        layers.append(BatchNorm(hidden_dim))
    return nn.Sequential(*layers, activations[activation], nn.Linear(hidden_dim, out_dim, bias=bias))
