"""What a generator returns, and how it is normalised."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    """One sampled object.

    Attributes:
        points: (N, 3) float32, in the unit sphere: mean zero, largest radius 1; y up and front +z for categories.
        normals: (N, 3) float32, unit length, pointing out of the material.
        parts: (N,) int64 part id counted from 0 within the class, or None where there are no parts.
    """

    points: np.ndarray
    normals: np.ndarray
    parts: np.ndarray | None


def normalize(points: np.ndarray) -> np.ndarray:
    """Move the mean of the points to the origin and divide by the largest radius.

    Args:
        points: (N, 3) float, any unit.

    Returns:
        (N, 3) float32, mean zero, largest radius 1.
    """
    # float64 for the two sums: the mean of 1,024 float32 numbers is otherwise off by some 1e-6.
    points = points.astype(np.float64)
    points -= points.mean(axis=0)
    points /= np.sqrt(np.einsum('ij,ij->i', points, points).max())
    return points.astype(np.float32)
