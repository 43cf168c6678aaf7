"""A step of the data pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.datasets.transforms import POINT_KEYS, Transform
from mmpt.registry import TRANSFORMS

__all__ = ['CutByPlane']


@TRANSFORMS.register_module()
class CutByPlane(Transform):
    """Keep the points on one side of a plane of random direction.

    Required keys: points, rng. Modified keys: points, normals, parts.

    Args:
        keep (float): share of the points that stay.
    """

    required = ('points', 'rng')

    def __init__(self, keep: float = 0.6) -> None:
        if not 0 < keep <= 1:
            raise ValueError(f'CutByPlane: keep is a share of the points, above 0 and at most 1, got {keep}.')
        self.keep = keep

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the direction from the sample's own generator, then drop the far points."""
        height = results['points'] @ results['rng'].standard_normal(3)
        count = max(1, round(self.keep * len(height)))
        # Sorted, so that the order of the points says nothing about the plane.
        kept = np.sort(np.argsort(height, kind='stable')[:count])
        for key in POINT_KEYS:
            if key in results:
                results[key] = results[key][kept]
        return results
