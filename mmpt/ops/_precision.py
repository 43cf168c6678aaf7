"""Coordinates keep float32 or float64 inside an operation, whatever autocast says outside."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ['autocast_off', 'common_coordinates', 'coordinates']


def coordinates(points: Tensor) -> Tensor:
    """float64 stays float64; everything else, bf16, half and integers included, becomes float32."""
    return points if points.dtype == torch.float64 else points.float()


def common_coordinates(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two sets that are compared with each other: float64 if either is, else float32."""
    dtype = torch.float64 if torch.float64 in (first.dtype, second.dtype) else torch.float32
    return first.to(dtype), second.to(dtype)


def autocast_off(tensor: Tensor) -> torch.autocast:
    """A context in which autocast does nothing on the device of ``tensor``."""
    return torch.autocast(device_type=tensor.device.type, enabled=False)
