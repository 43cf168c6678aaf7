"""Steps for LiDAR sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, name_sample
from .sampling import _take

__all__ = ['CropRange']


@TRANSFORMS.register_module()
class CropRange(Transform):
    """Keep the points of a box around the sensor, borders included.

    Required keys: points. Modified keys: points and all that has a row for every point; ``boxes`` stay.

    Args:
        low (Sequence[float]): smallest x, y and z, in the unit of the points (metres).
        high (Sequence[float]): largest x, y and z.

    Raises:
        ValueError: no point lies in the box.
    """

    required = ('points',)

    def __init__(self, low: Sequence[float], high: Sequence[float]) -> None:
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        if self.low.shape != (3,) or self.high.shape != (3,) or not (self.low < self.high).all():
            raise ValueError(f'CropRange(low={low}, high={high}): expected three numbers each, low below high.')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the rows."""
        points = results['points']
        rows = np.flatnonzero(((points >= self.low) & (points <= self.high)).all(axis=1))
        if len(rows) == 0:
            raise ValueError(
                f'expected points of {name_sample(results)} between {self.low.tolist()} and {self.high.tolist()}, got '
                f'none: they reach from {points.min(axis=0).tolist()} to {points.max(axis=0).tolist()}; widen the '
                'range of CropRange.'
            )
        _take(results, rows)
        return results
