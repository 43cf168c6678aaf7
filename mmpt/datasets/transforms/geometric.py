"""Moving points; normals follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, name_sample

__all__ = ['Jitter', 'RotateUp', 'ScaleAndTranslate', 'UnitSphere', 'rotation_about']


def rotation_about(axis: str, angle: float) -> np.ndarray:
    """The right-handed rotation about a coordinate axis.

    Args:
        axis (str): 'x', 'y' or 'z'.
        angle (float): radians; positive turns the next axis in the cycle x y z towards the one after it.

    Returns:
        ndarray: (3, 3) float32; columns are multiplied from the left, ``points @ rotation.T``.
    """
    first = ('xyz'.index(axis) + 1) % 3
    second = (first + 1) % 3
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = np.cos(angle)
    rotation[second, first] = np.sin(angle)
    rotation[first, second] = -np.sin(angle)
    return rotation.astype(np.float32)


@TRANSFORMS.register_module()
class UnitSphere(Transform):
    """Move the mean of the points to the origin and scale the largest radius to 1.

    Required keys: points. Modified keys: points.

    Raises:
        ValueError: all points coincide.
    """

    required = ('points',)
    metainfo = {'normalize': 'unit_sphere'}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Centre, then divide."""
        points = results['points'].astype(np.float64)
        points -= points.mean(axis=0)
        radius = np.sqrt((points**2).sum(axis=1).max())
        if not radius > 1e-12:
            raise ValueError(
                f'expected a cloud with an extent in {name_sample(results)}, got {len(points)} points in one place, '
                'which no scale brings to the unit sphere; remove it from the list.'
            )
        results['points'] = (points / radius).astype(np.float32)
        return results


@TRANSFORMS.register_module()
class ScaleAndTranslate(Transform):
    """Scale and move every axis on its own (Point-BERT, arXiv 2111.14819, and its successors).

    Required keys: points, rng. Modified keys: points, normals (kept perpendicular to the surface, unit length).

    Args:
        scale (tuple[float, float]): the factor of each axis is drawn from this interval.
        shift (tuple[float, float]): the shift of each axis likewise, in the unit of the points.
    """

    required = ('points', 'rng')

    def __init__(self, scale: tuple[float, float] = (2 / 3, 3 / 2), shift: tuple[float, float] = (-0.2, 0.2)) -> None:
        self.scale, self.shift = scale, shift

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw six numbers and apply them."""
        scale = results['rng'].uniform(*self.scale, size=3).astype(np.float32)
        shift = results['rng'].uniform(*self.shift, size=3).astype(np.float32)
        results['points'] = results['points'] * scale + shift
        if 'normals' in results:
            # Normals are covectors: they take the inverse scale, else they would lean off the stretched surface.
            normals = results['normals'] / scale
            length = np.linalg.norm(normals, axis=1, keepdims=True)
            results['normals'] = normals / np.maximum(length, 1e-12)
        return results


@TRANSFORMS.register_module()
class RotateUp(Transform):
    """Rotate about the up axis by a random angle.

    Required keys: points, rng. Modified keys: points, normals.

    Args:
        max_angle (float): degrees; the angle is drawn from U(-max_angle, max_angle). The default is a full turn.
        up_axis (str): 'y' for objects, 'z' for scenes.
    """

    required = ('points', 'rng')

    def __init__(self, max_angle: float = 180.0, up_axis: str = 'y') -> None:
        self.max_angle, self.up_axis = np.deg2rad(max_angle), up_axis

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the angle and turn points and normals by it."""
        rotation = rotation_about(self.up_axis, results['rng'].uniform(-self.max_angle, self.max_angle))
        for key in ('points', 'normals'):
            if key in results:
                results[key] = results[key] @ rotation.T
        return results


@TRANSFORMS.register_module()
class Jitter(Transform):
    """Add clipped Gaussian noise to every coordinate.

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
