"""A pinhole camera that looks at the origin."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ['camera_axes', 'focal_length']


def focal_length(size: int, fov: float) -> float:
    """Focal length in pixels of a square image that sees the full angle ``fov`` (radians)."""
    return size / 2 / math.tan(fov / 2)


def camera_axes(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """The camera's axes in the world, for any shape (...) of angles in radians.

    The closed form, instead of a cross product with the world's y axis, is defined at the poles too.

    Returns:
        Tensor: (..., 3, 3), rows right, up and back (from the origin to the camera): a rotation from world to camera.
    """
    sa, ca = azimuth.sin(), azimuth.cos()
    se, ce = elevation.sin(), elevation.cos()
    zero = torch.zeros_like(sa)
    right = torch.stack([ca, zero, -sa], dim=-1)
    up = torch.stack([-se * sa, ce, -se * ca], dim=-1)
    back = torch.stack([ce * sa, se, ce * ca], dim=-1)
    return torch.stack([right, up, back], dim=-2)
