"""Polygons as triangles."""

from __future__ import annotations

import numpy as np

__all__ = ['fan', 'fan_corners']


def fan(lengths: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Cut polygons into triangles that share the first corner; what has fewer than three corners has none.

    Args:
        lengths (np.ndarray): (P,) integers, corners of each polygon.
        corners (np.ndarray): (sum of lengths,) their vertices, polygon after polygon.

    Returns:
        np.ndarray: (F, 3) int64.
    """
    return np.asarray(corners)[fan_corners(lengths)].astype(np.int64)


def fan_corners(lengths: np.ndarray) -> np.ndarray:
    """The same as places in ``corners`` instead of vertices: (F, 3) int64."""
    lengths = np.asarray(lengths, np.int64)
    starts, pieces = np.cumsum(lengths) - lengths, np.maximum(lengths - 2, 0)
    first = np.repeat(starts, pieces)
    step = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return np.stack([first, first + step + 1, first + step + 2], axis=1)
