"""Damaged test shapes, in five severities each: what a frozen encoder is scored under beside the clean ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    'CORRUPTIONS',
    'Corruption',
    'add_noise',
    'add_outliers',
    'corrupt',
    'drop_points',
    'occlude',
    'rotate',
    'to_unit_sphere',
    'turn',
]

Clouds = NDArray[np.float32]


def drop_points(points: Clouds, share: float, rng: np.random.Generator) -> Clouds:
    """Keep ``round(share * P)`` points of every cloud, drawn evenly and in the order they had.

    Args:
        points (ndarray): (N, P, 3) float32.
        share (float): of the points that stay, in (0, 1]; at least one point does.
        rng (Generator): of the draws.

    Returns:
        ndarray: (N, round(share * P), 3) float32.
    """
    keys = rng.random(points.shape[:2])
    return _take(points, np.sort(_lowest(keys, _count(points, share)), axis=1))


def add_noise(points: Clouds, deviation: float, rng: np.random.Generator) -> Clouds:
    """Move every point by a normal draw, the same standard deviation in every coordinate.

    Args:
        points (ndarray): (N, P, 3) float32.
        deviation (float): in the unit of the points, hence in radii of a cloud in the unit sphere.
        rng (Generator): of the draws.

    Returns:
        ndarray: (N, P, 3) float32.
    """
    return points + np.float32(deviation) * rng.standard_normal(points.shape, np.float32)


def turn(points: Clouds, degrees: float, rng: np.random.Generator) -> Clouds:
    """Turn every cloud about the up axis y by one angle, to the left or to the right.

    Args:
        points (ndarray): (N, P, 3) float32, y up.
        degrees (float): the angle.
        rng (Generator): draws the sides.

    Returns:
        ndarray: (N, P, 3) float32.
    """
    side = 2 * rng.integers(2, size=len(points)) - 1
    return _rotate(points, side[:, None] * np.array([0.0, 1.0, 0.0]), degrees)


def rotate(points: Clouds, degrees: float, rng: np.random.Generator) -> Clouds:
    """Rotate every cloud by one angle about an axis of its own, drawn evenly over all directions.

    Args:
        points (ndarray): (N, P, 3) float32; rotated about the origin.
        degrees (float): the angle.
        rng (Generator): draws the axes.

    Returns:
        ndarray: (N, P, 3) float32.
    """
    return _rotate(points, _directions(rng, (len(points),)), degrees)


def occlude(points: Clouds, share: float, rng: np.random.Generator) -> Clouds:
    """Cut off what lies beyond a plane, as the straight edge of something in front does.

    The plane's direction is drawn evenly for every cloud, and the plane moved until it hides ``round(share * P)``
    points: all that lie farthest in that direction, and no other.

    Args:
        points (ndarray): (N, P, 3) float32.
        share (float): of the points that are hidden, in [0, 1); at least one point stays.
        rng (Generator): draws the directions.

    Returns:
        ndarray: (N, P - round(share * P), 3) float32, in the order they had.
    """
    height = np.einsum('npc,nc->np', points, _directions(rng, (len(points),)))
    return _take(points, np.sort(_lowest(height, _count(points, 1 - share)), axis=1))


def add_outliers(points: Clouds, share: float, rng: np.random.Generator) -> Clouds:
    """Put ``round(share * P)`` points of every cloud anywhere in the ball about the origin that holds the cloud.

    Args:
        points (ndarray): (N, P, 3) float32, centred.
        share (float): of the points that are replaced, in [0, 1].
        rng (Generator): draws the points and their places, which are evenly distributed over the ball.

    Returns:
        ndarray: (N, P, 3) float32; all other points stay as they are and where they are.
    """
    replaced = _lowest(rng.random(points.shape[:2]), round(share * points.shape[1]))
    radius = np.linalg.norm(points, axis=2).max(axis=1)[:, None] * np.cbrt(rng.random(points.shape[:2]))
    places = (radius[..., None] * _directions(rng, points.shape[:2])).astype(np.float32)
    damaged = points.copy()
    np.put_along_axis(damaged, replaced[..., None], _take(places, replaced), axis=1)
    return damaged


class Corruption(NamedTuple):
    """One kind of damage.

    Attributes:
        unit (str): what the values of the severities say.
        values (tuple[float, ...]): of severities 1 to 5, from mild to strong.
        damage (Callable): (points, value, rng) -> points.
    """

    unit: str
    values: tuple[float, ...]
    damage: Callable[[Clouds, float, np.random.Generator], Clouds]


CORRUPTIONS: dict[str, Corruption] = {
    'fewer points': Corruption('share of the points left', (0.75, 0.5, 0.35, 0.25, 0.125), drop_points),
    'noise': Corruption('standard deviation in radii', (0.01, 0.02, 0.04, 0.08, 0.16), add_noise),
    'rotation about up': Corruption('degrees', (10.0, 20.0, 30.0, 45.0, 90.0), turn),
    'rotation': Corruption('degrees about a random axis', (10.0, 20.0, 30.0, 45.0, 90.0), rotate),
    'occlusion': Corruption('share of the points beyond a plane', (0.1, 0.25, 0.4, 0.55, 0.7), occlude),
    'outliers': Corruption('share of the points replaced', (0.003, 0.01, 0.02, 0.04, 0.1), add_outliers),
}
"""Every corruption that is measured, in the order of a report."""


def corrupt(points: Clouds, name: str, severity: int, seed: int = 0) -> Clouds:
    """Damage clouds, and bring what is left to the unit sphere, as whoever gets such a scan would have to.

    All severities of one kind and seed share their draws: a stronger one hides the same side farther, moves the same
    way farther, replaces the same points and more.

    Args:
        points (ndarray): (N, P, 3) float32 in the unit sphere, y up.
        name (str): one of :data:`CORRUPTIONS`.
        severity (int): 0 (returned as they are) to 5.
        seed (int): of the draws.

    Returns:
        ndarray: (N, P', 3) float32; P' is below P where points are taken away.

    Raises:
        ValueError: no such name or severity, or points of another shape.
    """
    points = np.asarray(points, dtype=np.float32)
    if points.ndim != 3 or points.shape[2] != 3 or points.size == 0:
        raise ValueError(f'Corruptions take clouds as a non-empty (N, P, 3) array, not one of shape {points.shape}.')
    if name not in CORRUPTIONS:
        raise ValueError(f'There is no corruption {name!r}; it is one of {", ".join(CORRUPTIONS)}.')
    kind = CORRUPTIONS[name]
    if not 0 <= severity <= len(kind.values):
        raise ValueError(f'The severity is 0 to {len(kind.values)}, not {severity}.')
    if severity == 0:
        return points.copy()
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return to_unit_sphere(kind.damage(points, kind.values[severity - 1], rng))


def to_unit_sphere(points: Clouds) -> Clouds:
    """Move the mean of every cloud to the origin and scale its largest radius to 1.

    Args:
        points (ndarray): (N, P, 3) float32.

    Returns:
        ndarray: (N, P, 3) float32; a cloud whose points coincide stays at the origin.
    """
    centred = points - points.mean(axis=1, keepdims=True)
    radius = np.linalg.norm(centred, axis=2).max(axis=1)[:, None, None]
    return centred / np.where(radius > 0, radius, 1)


def _count(points: Clouds, share: float) -> int:
    return max(1, round(share * points.shape[1]))


def _lowest(keys: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """(N, count) places of the lowest keys of each row; equal keys by their place."""
    return keys.argsort(axis=1, kind='stable')[:, :count]


def _take(points: Clouds, index: NDArray[np.int64]) -> Clouds:
    return np.take_along_axis(points, index[..., None], axis=1)


def _directions(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Unit vectors (*shape, 3), evenly distributed."""
    drawn = rng.standard_normal((*shape, 3))
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def _rotate(points: Clouds, axes: NDArray[np.float64], degrees: float) -> Clouds:
    """By Rodrigues' formula, right-handed about one axis (N, 3) for each cloud."""
    angle, axis = np.radians(degrees), axes[:, None]
    along = np.einsum('npc,nc->np', points, axes)[..., None] * axis
    turned = along + np.cos(angle) * (points - along) + np.sin(angle) * np.cross(axis, points)
    return turned.astype(np.float32)
