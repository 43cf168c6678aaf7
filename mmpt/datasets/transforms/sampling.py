"""Choosing points and views."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mmpt.ops import farthest_point_sample
from mmpt.registry import TRANSFORMS

from ..threads import one_thread
from .base import IMAGE_KEYS, POINT_KEYS, Transform, name_sample
from .loading import choose_views

__all__ = ['FarthestPoints', 'FirstPoints', 'PickViews', 'PointDropout', 'RandomSample']


def _take(results: dict[str, Any], index: np.ndarray | slice) -> None:
    if 'pairs' in results:
        raise ValueError(
            f'{name_sample(results)} has pairs already, which name rows of the points as they are; place ProjectPoints '
            'behind every transform that chooses points.'
        )
    if 'inverse' in results:
        raise ValueError(
            f'{name_sample(results)} has an inverse already, which names rows of the points as they are; place '
            'GridSample(inverse=True) behind every other transform that chooses points.'
        )
    if not isinstance(index, slice):
        results.pop('farthest_first', None)
    for key in POINT_KEYS:
        if key in results:
            results[key] = results[key][index]


def _check_enough(results: dict[str, Any], num_points: int, who: str) -> None:
    have = len(results['points'])
    if have < num_points:
        raise ValueError(
            f'fewer points than asked: {who}(num_points={num_points}), but {name_sample(results)} has {have}; '
            'lower num_points in the pipeline or give denser clouds.'
        )


@TRANSFORMS.register_module()
class RandomSample(Transform):
    """Keep ``num_points`` random points, without replacement, in random order.

    Required keys: points, rng. Modified keys: points and every other key with one row per point.

    Args:
        num_points (int): how many.

    Raises:
        ValueError: the cloud has fewer points.
    """

    required = ('points', 'rng')

    def __init__(self, num_points: int) -> None:
        self.num_points = num_points
        self.metainfo = {'num_points': num_points}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the rows."""
        _check_enough(results, self.num_points, type(self).__name__)
        _take(results, results['rng'].permutation(len(results['points']))[: self.num_points])
        return results


@TRANSFORMS.register_module()
class FirstPoints(Transform):
    """Keep the first ``num_points`` points: for evaluation, which is to be the same every time.

    Required keys: points. Modified keys: points and every other key with one row per point.

    Args:
        num_points (int): how many.

    Raises:
        ValueError: the cloud has fewer points.
    """

    required = ('points',)

    def __init__(self, num_points: int) -> None:
        self.num_points = num_points
        self.metainfo = {'num_points': num_points}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut the rows off."""
        _check_enough(results, self.num_points, type(self).__name__)
        _take(results, slice(self.num_points))
        return results


@TRANSFORMS.register_module()
class FarthestPoints(Transform):
    """Keep ``num_points`` points by farthest point sampling, which starts at the first one.

    Where the data say that their rows are in that order already (``farthest_first``: Point-BERT's files of ModelNet40),
    these are the first rows, and cost nothing. Elsewhere it costs ``num_points`` passes over the cloud, see
    docs/tasks/classification.md. A motion that keeps ratios of distances (UnitSphere, RotateUp) may come before or
    behind; one that stretches axes comes behind.

    Required keys: points. Modified keys: points and every other key with one row per point.

    Args:
        num_points (int): how many; as many as there are leaves the cloud as it is.

    Raises:
        ValueError: the cloud has fewer points.
    """

    required = ('points',)

    def __init__(self, num_points: int) -> None:
        self.num_points = num_points
        self.metainfo = {'num_points': num_points}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Sample, or cut off what is in order."""
        _check_enough(results, self.num_points, type(self).__name__)
        points = results['points']
        if results.get('farthest_first') or len(points) == self.num_points:
            _take(results, slice(self.num_points))
        else:
            with one_thread():
                cloud = torch.from_numpy(np.ascontiguousarray(points))[None]
                index = farthest_point_sample(cloud, self.num_points)[0]
            _take(results, index.numpy())
        return results


@TRANSFORMS.register_module()
class PointDropout(Transform):
    """Replace a random share of the points by the first one, so that N stays (CrossPoint, arXiv 2203.00680).

    Required keys: points, rng. Modified keys: points and every other key with one row per point.

    Args:
        max_ratio (float): the share is drawn from U(0, max_ratio).
    """

    required = ('points', 'rng')

    def __init__(self, max_ratio: float = 0.875) -> None:
        self.max_ratio = max_ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Point the rows of dropped points at row 0."""
        count, rng = len(results['points']), results['rng']
        dropped = rng.random(count) < rng.uniform(0, self.max_ratio)
        _take(results, np.where(dropped, 0, np.arange(count)))
        return results


@TRANSFORMS.register_module()
class PickViews(Transform):
    """Keep some of the pictures that a data set holds or renders in memory.

    Required keys: images, has_image, rng. Modified keys: images (num_views, H, W, 3), has_image (num_views,), and
    whatever else has a row for every picture.

    Args:
        num_views (int): how many.
        random (bool): draw them without replacement (training), or take the first ones (evaluation).

    Raises:
        ValueError: there are fewer pictures.
    """

    required = ('images', 'has_image', 'rng')

    def __init__(self, num_views: int = 1, random: bool = True) -> None:
        self.num_views, self.random = num_views, random

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose among all pictures, those that are missing included."""
        have = len(results['images'])
        if have < self.num_views:
            raise ValueError(
                f'fewer views than asked: PickViews(num_views={self.num_views}), but {name_sample(results)} has '
                f'{have}; raise `views` of the data set.'
            )
        chosen = choose_views(have, self.num_views, results['rng'] if self.random else None)
        for key in IMAGE_KEYS:
            if key in results:
                results[key] = results[key][chosen]
        return results
