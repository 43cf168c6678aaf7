"""One motion for everything that stands in the frame of the points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import name_sample

__all__ = ['move', 'rotation_about']


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


def move(
    results: dict[str, Any],
    linear: np.ndarray,
    offset: np.ndarray,
    place: Callable[[np.ndarray], np.ndarray] | None = None,
) -> dict[str, Any]:
    """Move points, normals, completion targets, calibration and boxes by one map x' = linear x + offset.

    Args:
        results (dict): the sample. ``points``, ``complete`` (M, 3) and each of ``partials`` (n, 3) are moved;
            ``normals`` become unit vectors perpendicular to the moved surface; ``projections`` (V, 3, 4) hit the same
            pixels from the moved points; ``boxes`` (K, 7) move, grow and turn along.
        linear (ndarray): (3, 3) floats, invertible; a reflection serves as well.
        offset (ndarray): (3,) floats, in the unit of the moved points.
        place (Callable | None): the same map, (n, 3) float32 to (n, 3) float32, in the arithmetic that the transform
            wants; None for double precision.

    Returns:
        dict: ``results``, its arrays replaced.

    Raises:
        ValueError: there are boxes, and they would not stay boxes that stand upright (z is up where there are any).
    """
    linear, offset = np.asarray(linear, np.float64), np.asarray(offset, np.float64)
    if place is None:

        def place(rows: np.ndarray) -> np.ndarray:
            return (rows.astype(np.float64) @ linear.T + offset).astype(np.float32)

    for key in ('points', 'complete'):
        if key in results:
            results[key] = place(results[key])
    if 'partials' in results:
        results['partials'] = [place(rows) for rows in results['partials']]
    if 'normals' in results and not _keeps_directions(linear):
        # Normals are covectors: they take the inverse transpose, else they would lean off a stretched surface.
        normals = results['normals'] @ np.linalg.inv(linear).astype(np.float32)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        results['normals'] = normals / np.maximum(length, 1e-12)
    if 'projections' in results:
        whole = np.eye(4)
        whole[:3, :3], whole[:3, 3] = linear, offset
        results['projections'] = results['projections'] @ np.linalg.inv(whole)
    if 'boxes' in results:
        results['boxes'] = _move_boxes(results, linear, offset)
    return results


def _keeps_directions(linear: np.ndarray) -> bool:
    """Whether the motion only shifts, and scales all axes alike."""
    return bool(np.array_equal(linear, np.eye(3) * linear[0, 0]) and linear[0, 0] > 0)


def _move_boxes(results: dict[str, Any], linear: np.ndarray, offset: np.ndarray) -> np.ndarray:
    boxes, size = results['boxes'].astype(np.float64), linear[2, 2]
    upright = size > 0 and np.allclose(linear @ linear.T, np.eye(3) * size**2, atol=1e-5 * size**2)
    if not upright:
        raise ValueError(
            f'expected a motion that leaves the boxes of {name_sample(results)} boxes, got one that stretches axes '
            "differently or tilts them; where there are boxes, use RotateUp(up_axis='z') and "
            'ScaleAndTranslate(isotropic=True).'
        )
    heading = np.stack([np.cos(boxes[:, 6]), np.sin(boxes[:, 6])], axis=1) @ linear[:2, :2].T
    boxes[:, :3] = boxes[:, :3] @ linear.T + offset
    boxes[:, 3:6] *= size
    boxes[:, 6] = np.arctan2(heading[:, 1], heading[:, 0])
    return boxes.astype(np.float32)
