"""From points in space to pixels of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, name_sample

__all__ = ['ProjectPoints', 'project']


def project(points: np.ndarray, projection: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project points into one picture, in double precision.

    Args:
        points (ndarray): (N, 3), in the frame that the projection starts from.
        projection (ndarray): (3, 4), as in ``projections`` of a sample.

    Returns:
        tuple[ndarray, ndarray]: places (N, 2) float64, x to the right and y down in pixels from the centre of the first
        pixel, NaN where the distance is 0; and distances (N,) float64 from the image plane, negative behind it.
    """
    rows = points.astype(np.float64) @ projection[:, :3].T + projection[:, 3]
    distance = rows[:, 2]
    return rows[:, :2] / np.where(distance == 0, np.nan, distance)[:, None], distance


@TRANSFORMS.register_module()
class ProjectPoints(Transform):
    """Pair points with the pixels that they fall on (SLidR, arXiv 2203.16258; METHODS 7.3).

    A place (u, v) is measured from the centre of the first pixel, as OpenCV does, so a pixel reaches half a pixel to
    either side; resizing keeps the outer edges of a picture. The pixel is thus ``floor((u + 0.5) * scale)``. A point
    that several cameras see is in several pairs. Nothing tests whether something hides the point from the camera, which
    does not stand where the LiDAR does.

    Place: behind all that chooses points, since pairs name rows, and behind :class:`LoadImages` and
    :class:`ResizeImages`; a transform that would break the pairs refuses. :class:`RandomFlip` may stand on either side,
    and so may what moves the points, since it takes the projections along (distances stay those of the camera, in
    metres).

    Required keys: points, projections (V, 3, 4), images, image_index, image_scale, rng; image_flip (K,) bool where
    :class:`RandomFlip` ran. Added keys: pairs (P, 4) int64: point, view (of ``images``), row, column; ordered by view,
    then point.

    Args:
        min_depth (float): only points at least so far in front of the camera, metres.
        max_pairs (int | None): keep so many, drawn without replacement; all where there are fewer.

    Raises:
        ValueError: the pictures are not those that the projections are for.
    """

    required = ('points', 'projections', 'images', 'image_index', 'image_scale', 'rng')

    def __init__(self, min_depth: float = 1.0, max_pairs: int | None = None) -> None:
        if not min_depth > 0:
            raise ValueError(f'ProjectPoints(min_depth={min_depth}): expected a positive distance in metres.')
        self.min_depth, self.max_pairs = min_depth, max_pairs

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Project into every picture that is there."""
        images, index, projections = results['images'], results['image_index'], results['projections']
        if len(index) != len(images) or index.max(initial=-1) >= len(projections):
            raise ValueError(
                f'expected one of the {len(projections)} projections for each of the {len(images)} pictures of '
                f'{name_sample(results)}, got image_index {index.tolist()}; place ProjectPoints behind LoadImages, '
                'with nothing between them that chooses pictures.'
            )
        mirrored = results.get('image_flip', np.zeros(len(images), bool))
        pairs = [np.empty((0, 4), np.int64)]
        for view in np.flatnonzero(index >= 0):
            place, distance = project(results['points'], projections[index[view]])
            near = distance >= self.min_depth
            pixel = np.full(place.shape, -1, np.int64)
            pixel[near] = np.floor((place[near] + 0.5) * results['image_scale'][view])
            height, width = images.shape[1:3]
            chosen = np.flatnonzero((pixel >= 0).all(axis=1) & (pixel < (width, height)).all(axis=1))
            column = pixel[chosen, 0]
            if mirrored[view]:
                column = width - 1 - column
            pairs.append(np.stack([chosen, np.full(len(chosen), view), pixel[chosen, 1], column], axis=1))
        found = np.concatenate(pairs)
        if self.max_pairs is not None and len(found) > self.max_pairs:
            found = found[np.sort(results['rng'].permutation(len(found))[: self.max_pairs])]
        results['pairs'] = found
        return results
