"""Several measurements of one thing in one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

__all__ = ['Spread', 'spread']


class Spread(NamedTuple):
    """Summary of repeated measurements.

    Attributes:
        mean (float): arithmetic mean.
        min (float): smallest value.
        max (float): largest value.
        std (float): standard deviation of the sample (n - 1); 0 for a single value.
        n (int): how many values.
    """

    mean: float
    min: float
    max: float
    std: float
    n: int

    def __str__(self) -> str:
        """For example ``0.812 +- 0.004 (0.808 to 0.816, n=3)``."""
        return f'{self.mean:.3f} +- {self.std:.3f} ({self.min:.3f} to {self.max:.3f}, n={self.n})'


def spread(values: Iterable[float]) -> Spread:
    """Mean, extremes and standard deviation of at least one finite value."""
    array = np.asarray(list(values), dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f'A spread needs at least one value, all finite; it got {array.tolist()}.')
    std = float(array.std(ddof=1)) if array.size > 1 else 0.0
    lowest, highest = float(array.min()), float(array.max())
    # The mean of equal values may round to one beside them.
    mean = min(max(float(array.mean()), lowest), highest)
    return Spread(mean, lowest, highest, std, int(array.size))
