"""Which way is up."""

from __future__ import annotations

import numpy as np

__all__ = ['z_up_to_y_up']


def z_up_to_y_up(vectors: np.ndarray) -> np.ndarray:
    """Turn points or directions by -90 degrees about x, so that what was up along z is up along y.

    Args:
        vectors (ndarray): (N, 3).

    Returns:
        ndarray: (N, 3) of the same type, C-contiguous: (x, y, z) becomes (x, z, -y).
    """
    return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], axis=1)
