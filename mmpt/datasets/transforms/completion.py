"""A partial cloud and the complete one it belongs to: reading both, cropping one out of the other."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch

from mmpt.ops import farthest_point_sample
from mmpt.registry import TRANSFORMS

from .base import POINT_KEYS, Transform, check_points, name_sample
from .frame import move
from .sampling import _take

__all__ = ['VIEWPOINTS', 'CropViewpoint', 'HiddenPointRemoval', 'LoadPartial', 'RandomMirror', 'ResamplePoints']

# The corners that ShapeNet-55 completion is tested from (code of PoinTr, arXiv 2108.08839).
VIEWPOINTS = np.array(list(product((1.0, -1.0), repeat=3)), np.float32)
_LABEL_KEYS = ('parts', 'semantic', 'instance')


@TRANSFORMS.register_module()
class LoadPartial(Transform):
    """Read one of the partial clouds of a shape, and its complete cloud.

    Both are in the same frame and stay so: transforms that move the points move ``complete`` along. Where they need a
    centre or a size, as ``UnitSphere`` does, they take those of the partial cloud.

    Required keys: rng; partial_paths (list of str) and complete_path (str), or, where the data are packed, partials
    (list of (n, 3) float32) and complete (M, 3) float32. Added keys: points (n, 3) float32, the partial cloud that is
    used; complete (M, 3) float32; points_path, its file. Removed keys: partial_paths, complete_path, partials.

    Args:
        random (bool): draw which partial cloud is used (training), or take the first one (evaluation).

    Raises:
        FileNotFoundError: a file is not there.
        KeyError: the data set has no partial clouds.
        ValueError: a file is damaged, empty or not finite.
    """

    required = ('rng',)

    def __init__(self, random: bool = True) -> None:
        self.random = random

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose, then read what was chosen."""
        available = results['partials'] if 'partials' in results else self._paths(results)
        chosen = int(results['rng'].integers(len(available))) if self.random else 0
        if 'partials' in results:
            results['points'] = results.pop('partials')[chosen]
        else:
            results['points_path'] = available[chosen]
            results['points'] = _read(available[chosen], results)
            results['complete'] = _read(results['complete_path'], results)
            del results['partial_paths'], results['complete_path']
        check_points(results)
        return results

    def pack(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read all partial clouds and the complete one: which is used is drawn later."""
        if 'partials' not in results:
            results['partials'] = [_read(path, results) for path in self._paths(results)]
            results['complete'] = _read(results['complete_path'], results)
            del results['partial_paths'], results['complete_path']
        return results

    def _paths(self, results: dict[str, Any]) -> list[str]:
        if 'complete_path' not in results or 'partial_paths' not in results:
            raise KeyError(
                "LoadPartial needs 'partial_paths' and 'complete_path', or 'partials' and 'complete', which "
                f'{name_sample(results)} does not have; use it with a completion data set, such as PCN.'
            )
        return results['partial_paths']


def _read(path: str, results: dict[str, Any]) -> np.ndarray:
    """The (N, 3) float32 points of a file, checked."""
    from ..reading import read_cloud

    about = {'sample_id': results.get('sample_id', '?'), 'points_path': path}
    try:
        about['points'] = read_cloud(path).points
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{name_sample(about)} is in the list but its file does not exist; complete the data set or correct the '
            'list.'
        ) from error
    check_points(about)
    return about['points']


@TRANSFORMS.register_module()
class CropViewpoint(Transform):
    """Cut a part away from a whole cloud, as seen from a viewpoint, and thin out what is left.

    The points nearest to the viewpoint are removed; of the others, ``num_points`` are kept by farthest point sampling,
    from the nearest of them on. In the protocol of ShapeNet-55 completion (code of PoinTr, arXiv 2108.08839) the cloud
    has 8,192 points, is brought to the unit sphere before, and 2,048 are kept. Training draws the viewpoint on the unit
    sphere and the removed share from 1/4 to 3/4; testing uses each of the eight corners (+-1, +-1, +-1), with 1/4
    (easy), 1/2 (median) or 3/4 (hard) removed: one data set for each corner, in a ``ConcatDataset``.

    Required keys: points, rng. Added keys: complete (N, 3) float32, the cloud as it was; removed (float) and viewpoint
    (int) where they are not drawn. Modified keys: points and whatever else has a row per point.

    Args:
        removed (float | tuple[float, float]): the share that is cut away, or the interval that it is drawn from, in
            whole points and both ends included.
        num_points (int): how many are kept.
        viewpoint (int | None): which of ``VIEWPOINTS``, 0 to 7; None draws a direction.

    Raises:
        ValueError: a share outside of [0, 1) or an unknown viewpoint; too few points would be left.
    """

    required = ('points', 'rng')

    def __init__(
        self,
        removed: float | tuple[float, float] = (0.25, 0.75),
        num_points: int = 2048,
        viewpoint: int | None = None,
    ) -> None:
        self.removed = (removed, removed) if isinstance(removed, (int, float)) else tuple(removed)
        if len(self.removed) != 2 or not 0 <= self.removed[0] <= self.removed[1] < 1:
            raise ValueError(
                f'CropViewpoint(removed={removed}): expected a share from 0 to less than 1, or an interval of them.'
            )
        _check_viewpoint(self, viewpoint)
        self.num_points, self.viewpoint = num_points, viewpoint

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw share and viewpoint, cut, and thin out."""
        points, rng = results['points'], results['rng']
        low, high = (int(len(points) * share) for share in self.removed)
        cut = int(rng.integers(low, high + 1))
        if len(points) - cut < self.num_points:
            raise ValueError(
                f'CropViewpoint cuts {cut} of {len(points)} points of {name_sample(results)}, which leaves fewer than '
                f'num_points={self.num_points}; lower num_points or `removed`, or give denser clouds.'
            )
        distance = np.linalg.norm(points - _viewpoint(self.viewpoint, rng), axis=1)
        left = np.argsort(distance, kind='stable')[cut:]
        left = left[_farthest(points[left], self.num_points)]
        results['complete'] = points
        if self.removed[0] == self.removed[1]:
            results['removed'] = self.removed[0]
        if self.viewpoint is not None:
            results['viewpoint'] = self.viewpoint
        _take(results, left)
        return results


def _check_viewpoint(transform: Transform, viewpoint: int | None) -> None:
    if viewpoint is not None and viewpoint not in range(len(VIEWPOINTS)):
        raise ValueError(
            f'{type(transform).__name__}(viewpoint={viewpoint}): expected None or 0 to {len(VIEWPOINTS) - 1}.'
        )


def _viewpoint(number: int | None, rng: np.random.Generator) -> np.ndarray:
    """(3,) float32: a corner, or a direction of length 1 that is drawn."""
    if number is not None:
        return VIEWPOINTS[number]
    direction = rng.standard_normal(3)
    return (direction / np.linalg.norm(direction)).astype(np.float32)


def _farthest(points: np.ndarray, count: int) -> np.ndarray:
    if len(points) == count:
        return np.arange(count)
    return farthest_point_sample(torch.from_numpy(np.ascontiguousarray(points))[None], count)[0].numpy()


@TRANSFORMS.register_module()
class HiddenPointRemoval(Transform):
    """Keep the points of a whole cloud that are seen from a viewpoint, as a scan would: what lies behind is lost.

    Katz, Tal and Basri, Direct Visibility of Point Sets, SIGGRAPH 2007: every point is flipped to the other side of a
    large sphere around the viewpoint, along its ray; those on the convex hull of the flipped points and the viewpoint
    are seen. No surface, normals or camera is needed. How many points are left depends on the shape; ``ResamplePoints``
    brings them to one number.

    Required keys: points, rng. Added keys: complete (N, 3) float32, the cloud as it was; viewpoint (int) where it is
    not drawn. Modified keys: points and whatever else has a row per point.

    Args:
        distance (float): of the viewpoint from the middle of the cloud's bounding box, in radii of the cloud about it.
        flip (float): the sphere's radius is ``10 ** flip`` times the distance of the farthest point. Larger ones see
            more in hollows, and through surfaces whose points are sparse: 2 is right for about 8,192 points.
        viewpoint (int | None): look along which of ``VIEWPOINTS``, 0 to 7; None draws a direction.

    Raises:
        ValueError: a viewpoint among the points, a negative ``flip`` or an unknown viewpoint; a cloud whose points lie
            in one plane with the viewpoint.
    """

    required = ('points', 'rng')

    def __init__(self, distance: float = 3.0, flip: float = 2.0, viewpoint: int | None = None) -> None:
        if distance <= 1 or flip < 0:
            raise ValueError(
                f'HiddenPointRemoval(distance={distance}, flip={flip}): expected a distance above 1, outside of the '
                'cloud, and a flip of at least 0.'
            )
        _check_viewpoint(self, viewpoint)
        self.distance, self.flip, self.viewpoint = distance, flip, viewpoint

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Place the viewpoint, and keep what is on the hull."""
        from scipy.spatial import ConvexHull, QhullError  # slow to import

        points = results['points'].astype(np.float64)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        direction = _viewpoint(self.viewpoint, results['rng']).astype(np.float64)
        radius = np.linalg.norm(points - middle, axis=1).max()
        rays = points - middle - self.distance * radius * direction / np.linalg.norm(direction)
        length = np.linalg.norm(rays, axis=1, keepdims=True)
        flipped = rays * (2 * 10**self.flip * length.max() / np.maximum(length, 1e-12) - 1)
        try:
            seen = ConvexHull(np.vstack([flipped, np.zeros((1, 3))])).vertices
        except QhullError as error:
            raise ValueError(
                f'HiddenPointRemoval: the {len(points)} points of {name_sample(results)} lie in one plane with the '
                'viewpoint, so nothing hides anything; remove the shape from the list, or repair it.'
            ) from error
        results['complete'] = results['points']
        if self.viewpoint is not None:
            results['viewpoint'] = self.viewpoint
        _take(results, np.sort(seen[seen < len(points)]))
        return results


@TRANSFORMS.register_module()
class RandomMirror(Transform):
    """Mirror a shape, with probability 1/2 for each axis on its own.

    Training on PCN does so with x and z, the two level axes (code of PoinTr, arXiv 2108.08839).

    Required keys: points, rng. Modified keys: points and what else stands in their frame (complete, normals, boxes,
    projections).

    Args:
        axes (str): which of 'x', 'y' and 'z'.

    Raises:
        ValueError: another letter, or none.
    """

    required = ('points', 'rng')

    def __init__(self, axes: str = 'xz') -> None:
        if not axes or not set(axes) <= set('xyz'):
            raise ValueError(f'RandomMirror(axes={axes!r}): expected some of the letters x, y and z.')
        self.axes = ['xyz'.index(axis) for axis in axes]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw one bit for each axis; partial and complete cloud share them."""
        sign = np.ones(3, np.float32)
        sign[self.axes] = 1 - 2 * results['rng'].integers(2, size=len(self.axes))
        return move(results, np.diag(sign), np.zeros(3), lambda rows: rows * sign)


@TRANSFORMS.register_module()
class ResamplePoints(Transform):
    """Bring clouds of any number of points to one number.

    Required keys: points, rng. Modified keys: points and whatever else has a row per point.

    Args:
        num_points (int): how many.
        mode (str): 'repeat' draws without replacement; a cloud that has too few keeps all its points, in random order,
            and draws again from them until there are enough. 'zeros' fills up with points at the origin instead, as
            PoinTr (arXiv 2108.08839) does on PCN. 'replace' draws every row on its own, so that some repeat and some
            are missed whatever the number, as Point-MAE (arXiv 2203.06604) does on ShapeNetPart, in testing too.

    Raises:
        ValueError: an unknown mode; zeros in a cloud with a label for each point.
    """

    required = ('points', 'rng')

    def __init__(self, num_points: int, mode: str = 'repeat') -> None:
        if mode not in ('repeat', 'zeros', 'replace'):
            raise ValueError(f'ResamplePoints(mode={mode!r}): expected repeat, zeros or replace.')
        self.num_points, self.mode = num_points, mode
        self.metainfo = {'num_points': num_points}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the rows, then fill up."""
        count, rng = len(results['points']), results['rng']
        missing = max(0, self.num_points - count) if self.mode == 'zeros' else 0
        if self.mode == 'replace':
            rows = rng.integers(count, size=self.num_points)
        else:
            rounds = 1 if self.mode == 'zeros' else -(-self.num_points // count)
            rows = np.concatenate([rng.permutation(count) for _ in range(rounds)])[: self.num_points]
        labelled = [key for key in _LABEL_KEYS if missing and key in results]
        if labelled:
            raise ValueError(
                f'{name_sample(results)} has {count} of {self.num_points} points and {labelled[0]!r} for each of them, '
                "which points at the origin do not have; use mode='repeat' of ResamplePoints."
            )
        _take(results, rows)
        for key in POINT_KEYS if missing else ():
            if key in results:
                picked = results[key]
                results[key] = np.concatenate([picked, np.zeros_like(picked, shape=(missing, *picked.shape[1:]))])
        return results
