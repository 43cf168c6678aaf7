"""Moving points; everything that stands in their frame follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, name_sample
from .frame import move, rotation_about

__all__ = ['Jitter', 'RandomRotation', 'RotateUp', 'ScaleAndTranslate', 'TranslateByExtent', 'UnitSphere']


@TRANSFORMS.register_module()
class UnitSphere(Transform):
    """Move the mean of the points to the origin and scale the largest radius to 1.

    Required keys: points. Modified keys: points and all that stands in their frame (complete, partials, projections,
    boxes): the points alone decide on centre and radius.

    Raises:
        ValueError: all points coincide.
    """

    required = ('points',)
    metainfo = {'normalize': 'unit_sphere'}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Centre, then divide."""
        points = results['points'].astype(np.float64)
        centre = points.mean(axis=0)
        radius = np.sqrt(((points - centre) ** 2).sum(axis=1).max())
        if not radius > 1e-12:
            raise ValueError(
                f'expected a cloud with an extent in {name_sample(results)}, got {len(points)} points in one place, '
                'which no scale brings to the unit sphere; remove it from the list.'
            )

        def place(rows: np.ndarray) -> np.ndarray:
            # In double precision, since a cloud may lie far from its origin.
            return ((rows.astype(np.float64) - centre) / radius).astype(np.float32)

        return move(results, np.eye(3) / radius, -centre / radius, place)


@TRANSFORMS.register_module()
class ScaleAndTranslate(Transform):
    """Scale and move the cloud at random.

    The defaults are those of Point-BERT (arXiv 2111.14819), Point-MAE and their successors: a factor for every axis. A
    single factor for all (``isotropic=True``) is what CrossPoint (arXiv 2203.00680; scale 0.5 to 2) and the part
    segmentation of Point-MAE (scale 0.8 to 1.25, shift 0.1) use.

    Required keys: points, rng. Modified keys: points, normals (kept perpendicular to the surface, unit length), and
    what else stands in the frame of the points (complete, partials, projections, boxes).

    Args:
        scale (tuple[float, float]): the factors are drawn from U of this interval.
        shift (tuple[float, float]): the shift of each axis likewise, in the unit of the points.
        isotropic (bool): one factor for all three axes.

    Raises:
        ValueError: the sample has boxes and each axis a factor of its own.
    """

    required = ('points', 'rng')

    def __init__(
        self,
        scale: tuple[float, float] = (2 / 3, 3 / 2),
        shift: tuple[float, float] = (-0.2, 0.2),
        *,
        isotropic: bool = False,
    ) -> None:
        self.scale, self.shift, self.isotropic = scale, shift, isotropic

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the factors, then the shifts."""
        scale = results['rng'].uniform(*self.scale, size=1 if self.isotropic else 3).astype(np.float32)
        shift = results['rng'].uniform(*self.shift, size=3).astype(np.float32)
        return move(results, np.eye(3) * scale, shift, lambda rows: rows * scale + shift)


@TRANSFORMS.register_module()
class TranslateByExtent(Transform):
    """Move the cloud by a random part of its own extent (CrossPoint, arXiv 2203.00680).

    Required keys: points, rng. Modified keys: points, and what else stands in their frame (complete, partials,
    projections, boxes).

    Args:
        ratio (float): the shift along each axis is drawn from U(-ratio, ratio), in extents of the cloud along it.
    """

    required = ('points', 'rng')

    def __init__(self, ratio: float = 0.5) -> None:
        self.ratio = ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw a shift for each axis."""
        extent = np.ptp(results['points'], axis=0)
        shift = (results['rng'].uniform(-self.ratio, self.ratio, size=3) * extent).astype(np.float32)
        return move(results, np.eye(3), shift, lambda rows: rows + shift)


@TRANSFORMS.register_module()
class RotateUp(Transform):
    """Rotate about the up axis by a random angle.

    Required keys: points, rng. Modified keys: points, normals, and what else stands in the frame of the points
    (complete, partials, projections, boxes).

    Args:
        max_angle (float): degrees; the angle is drawn from U(-max_angle, max_angle). The default is a full turn.
        up_axis (str): 'y' for objects, 'z' for scenes.
    """

    required = ('points', 'rng')

    def __init__(self, max_angle: float = 180.0, up_axis: str = 'y') -> None:
        self.max_angle, self.up_axis = np.deg2rad(max_angle), up_axis

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the angle and turn by it."""
        rotation = rotation_about(self.up_axis, results['rng'].uniform(-self.max_angle, self.max_angle))
        return move(results, rotation, np.zeros(3), lambda rows: rows @ rotation.T)


@TRANSFORMS.register_module()
class RandomRotation(Transform):
    """Rotate by a random rotation, uniform over all of them: no direction is up any more.

    A unit quaternion that is uniform on the sphere of dimension 3 gives a uniform rotation (Shoemake, Uniform random
    rotations, Graphics Gems III, 1992).

    Required keys: points, rng. Modified keys: points, normals, and what else stands in the frame of the points
    (complete, partials, projections).

    Raises:
        ValueError: the sample has boxes, which can only be turned about the up axis.
    """

    required = ('points', 'rng')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the quaternion and turn by it."""
        quaternion = results['rng'].standard_normal(4)
        w, x, y, z = quaternion / np.linalg.norm(quaternion)
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ],
            np.float32,
        )
        return move(results, rotation, np.zeros(3), lambda rows: rows @ rotation.T)


@TRANSFORMS.register_module()
class Jitter(Transform):
    """Add clipped Gaussian noise to every coordinate of the points (CrossPoint, arXiv 2203.00680, with the defaults).

    Normals, targets and calibration stay as they are: the noise is in the measurement, not in the shape.

    Required keys: points, rng. Modified keys: points.

    Args:
        sigma (float): standard deviation, in the unit of the points.
        clip (float): largest absolute displacement per coordinate.
    """

    required = ('points', 'rng')

    def __init__(self, sigma: float = 0.01, clip: float = 0.05) -> None:
        self.sigma, self.clip = sigma, clip

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw and add."""
        noise = self.sigma * results['rng'].standard_normal(results['points'].shape, dtype=np.float32)
        results['points'] = results['points'] + np.clip(noise, -self.clip, self.clip)
        return results
