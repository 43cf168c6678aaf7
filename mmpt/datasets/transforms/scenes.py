"""Rooms and other scenes: one point per voxel, blocks and spheres cut out, flips, the floor at height 0.

Scenes are z up and in metres. What moves the points moves everything that stands in their frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, name_sample
from .frame import move
from .sampling import _take

__all__ = ['CentreFloor', 'CropBlock', 'CropSphere', 'FlipXY', 'GridSample']


def _keep_boxes(results: dict[str, Any], kept: np.ndarray) -> None:
    for key in ('boxes', 'box_labels'):
        if key in results:
            results[key] = results[key][kept]


def _cells(points: np.ndarray, size: float, name: str) -> np.ndarray:
    """Number the voxels of points (N, 3): (N,) int64, equal where the voxel is the same."""
    cells = np.floor(points.astype(np.float64) / size)
    cells -= cells.min(axis=0)
    extent = cells.max(axis=0) + 1
    if extent.prod() >= 2**62:
        meters = ' x '.join(f'{length:.4g}' for length in extent * size)
        raise ValueError(
            f'GridSample(size={size:g}) cannot number the voxels of {name}, which spans {meters} m; remove its far '
            'outliers, or set a larger size.'
        )
    cells, extent = cells.astype(np.int64), extent.astype(np.int64)
    return (cells[:, 0] * extent[1] + cells[:, 1]) * extent[2] + cells[:, 2]


def _stable_order(numbers: np.ndarray) -> np.ndarray:
    """What a stable argsort of non-negative int64 gives, 16 bits at a time, where numpy has a radix sort: 5x faster."""
    order = np.argsort((numbers & 0xFFFF).astype(np.uint16), kind='stable')
    bits, top = 16, int(numbers.max())
    while top >> bits:
        order = order[np.argsort(((numbers >> bits) & 0xFFFF).astype(np.uint16)[order], kind='stable')]
        bits += 16
    return order


@TRANSFORMS.register_module()
class GridSample(Transform):
    """Keep one point of every voxel of a regular grid, in the order of the file.

    The grid is fixed in the frame of the points, with a corner at the origin, so that a crop does not move it.

    Required keys: points; rng where ``random``. Modified keys: points and everything with one row per point. Added
    keys, where ``inverse``: inverse (N,) int64, for each of the N points that came in the row of the point that now
    stands for its voxel, so that ``prediction[inverse]`` is a prediction for each of them; and scene_semantic (N,)
    int64, their labels, where there is a semantic key.

    Args:
        size (float): edge of a voxel, in metres.
        random (bool): draw the point of a voxel (training), or take the first in the file (evaluation).
        inverse (bool): add the two keys that an evaluation on all points needs.

    Raises:
        ValueError: the size is not positive; the cloud spans more voxels than can be numbered.
    """

    required = ('points',)

    def __init__(self, size: float = 0.02, random: bool = True, inverse: bool = False) -> None:
        if not size > 0:
            raise ValueError(f'GridSample(size={size!r}): expected a positive edge in metres.')
        self.size, self.random, self.inverse = size, random, inverse
        self.required = ('points', 'rng') if random else ('points',)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Sort by voxel, take one of each."""
        numbers = _cells(results['points'], self.size, name_sample(results))
        order = _stable_order(numbers)
        ordered = numbers[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        counts = np.diff(starts, append=len(order))
        chosen = starts
        if self.random:
            chosen = starts + (results['rng'].random(len(starts)) * counts).astype(np.int64)
        rows = order[chosen]
        by_row = np.argsort(rows)
        semantic = results.get('semantic')
        _take(results, rows[by_row])
        if self.inverse:
            if semantic is not None:
                results['scene_semantic'] = semantic
            place = np.empty(len(rows), np.int64)
            place[by_row] = np.arange(len(rows))
            results['inverse'] = np.empty(len(order), np.int64)
            results['inverse'][order] = np.repeat(place, counts)
        return results


@TRANSFORMS.register_module()
class CropBlock(Transform):
    """Keep a column: the points within a square around a point of the cloud, at any height.

    With ``num_points=2048`` this is how ACT (arXiv 2212.08320) and its successors cut S3DIS. Where no block that is
    drawn has more than ``min_points``, the fullest of them is taken. Boxes stay where their centre is in the column.

    Required keys: points; rng where ``random``. Modified keys: points and everything with one row per point; boxes,
    box_labels.

    Args:
        size (float): edge of the square, in metres.
        num_points (int | None): how many points to draw of those in the block, without replacement where there are
            enough; where there are not, points come several times. None for all of them.
        min_points (int): a block with no more points is drawn again.
        random (bool): draw the centre among the points, and the points (training), or take the point nearest to the
            middle, and points evenly spread over the rows (evaluation).
        centre (bool): move x and y of the centre to 0; z stays the height in the room.
        tries (int): how often a block is drawn.

    Raises:
        ValueError: the size is not positive.
    """

    required = ('points',)

    def __init__(
        self,
        size: float = 1.0,
        num_points: int | None = None,
        min_points: int = 1024,
        random: bool = True,
        centre: bool = True,
        tries: int = 16,
    ) -> None:
        if not size > 0 or tries < 1:
            raise ValueError(
                f'CropBlock(size={size!r}, tries={tries!r}): expected a positive edge and at least one try.'
            )
        self.size, self.num_points, self.min_points = size, num_points, min_points
        self.random, self.centre, self.tries = random, centre, tries
        if num_points is not None:
            self.metainfo = {'num_points': num_points}
        self.required = ('points', 'rng') if random else ('points',)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the centre, cut, draw, move."""
        plane = results['points'][:, :2]
        rows, centre = np.empty(0, np.int64), plane[0]
        for _ in range(self.tries if self.random else 1):
            candidate = plane[_start(results, self.random, axes=2)]
            found = np.flatnonzero(self._inside(plane, candidate))
            if len(found) > len(rows):
                rows, centre = found, candidate
            if len(rows) > self.min_points:
                break
        if 'boxes' in results:
            _keep_boxes(results, self._inside(results['boxes'], centre))
        _take(results, self._draw(rows, results))
        if self.centre:
            move(results, np.eye(3), np.array([-centre[0], -centre[1], 0.0]))
        return results

    def _inside(self, rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
        # One column after the other: numpy reduces short rows slowly.
        inside = np.abs(rows[:, 0] - centre[0]) <= self.size / 2
        inside &= np.abs(rows[:, 1] - centre[1]) <= self.size / 2
        return inside

    def _draw(self, rows: np.ndarray, results: dict[str, Any]) -> np.ndarray:
        if self.num_points is None:
            return rows
        if not self.random:
            return rows[np.arange(self.num_points) * len(rows) // self.num_points]
        return results['rng'].choice(rows, self.num_points, replace=len(rows) < self.num_points)


@TRANSFORMS.register_module()
class CropSphere(Transform):
    """Keep the points nearest to a point of the cloud; a cloud that has no more than that stays whole.

    The points keep their order and their frame. Boxes stay where their centre is no farther than the farthest point.

    Required keys: points; rng where ``random``. Modified keys: points and everything with one row per point; boxes,
    box_labels.

    Args:
        num_points (int): how many.
        random (bool): draw the centre among the points (training), or take the point nearest to the middle
            (evaluation).
    """

    required = ('points',)

    def __init__(self, num_points: int, random: bool = True) -> None:
        if num_points < 1:
            raise ValueError(f'CropSphere(num_points={num_points!r}): expected at least 1.')
        self.num_points, self.random = num_points, random
        self.required = ('points', 'rng') if random else ('points',)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the centre and cut."""
        points = results['points']
        centre = points[_start(results, self.random, axes=3)]
        if len(points) <= self.num_points:
            return results
        distance = ((points - centre) ** 2).sum(axis=1)
        rows = np.argpartition(distance, self.num_points - 1)[: self.num_points]
        if 'boxes' in results:
            away = ((results['boxes'][:, :3] - centre) ** 2).sum(axis=1)
            _keep_boxes(results, away <= distance[rows].max())
        _take(results, np.sort(rows))
        return results


def _start(results: dict[str, Any], random: bool, axes: int) -> int:
    """A row: drawn, or that of the point nearest to the middle of the extent in the first ``axes`` coordinates."""
    points = results['points'][:, :axes]
    if random:
        return int(results['rng'].integers(len(points)))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return int(((points - middle) ** 2).sum(axis=1).argmin())


@TRANSFORMS.register_module()
class CentreFloor(Transform):
    """Move the middle of the extent in x and y to 0 and the lowest point to height 0.

    Required keys: points. Modified keys: points and what else stands in their frame (boxes, projections, complete).
    """

    required = ('points',)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Measure the extent and move."""
        low, high = results['points'].min(axis=0), results['points'].max(axis=0)
        move(results, np.eye(3), -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]))
        return results


@TRANSFORMS.register_module()
class FlipXY(Transform):
    """Mirror the scene in x, and in y, each on its own.

    Required keys: points, rng. Modified keys: points and what else stands in their frame (normals, boxes, projections,
    complete).

    Args:
        probability (float): of each of the two.
    """

    required = ('points', 'rng')

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw twice and mirror."""
        sign = np.where(results['rng'].random(2) < self.probability, -1.0, 1.0)
        if (sign < 0).any():
            move(results, np.diag([*sign, 1.0]), np.zeros(3))
        return results
