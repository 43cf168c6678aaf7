"""How near one cloud is to another."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ['CloudScores', 'cloud_scores']


class CloudScores(NamedTuple):
    """Distances of two clouds, in their unit.

    Attributes:
        chamfer_l1 (float): half the sum of the two mean distances to the nearest point of the other cloud.
        chamfer_l2 (float): the sum of the two means of the squared distances, in squared units.
        f_score (float): in [0, 1], harmonic mean of the shares of points, of either cloud, that are nearer to the other
            one than a threshold.
    """

    chamfer_l1: float
    chamfer_l2: float
    f_score: float


def cloud_scores(predicted: Any, complete: Any, threshold: float = 0.01, workers: int = 1) -> CloudScores:
    """Score a completed cloud as is the custom on PCN and ShapeNet-55 (METHODS 5.8); exact, in float64.

    Args:
        predicted (array): (M, 3).
        complete (array): (N, 3), the truth, in the same frame and unit.
        threshold (float): of the F-score, in that unit; distances are not squared (Tatarchenko et al., CVPR 2019).
        workers (int): threads.

    Returns:
        CloudScores: symmetric in the clouds.

    Raises:
        ValueError: a cloud without points, of another shape, or with coordinates that are not finite.
    """
    from scipy.spatial import cKDTree  # slow to import

    clouds = [np.asarray(cloud, np.float64) for cloud in (predicted, complete)]
    for what, cloud in zip(('predicted', 'complete'), clouds):
        if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud):
            raise ValueError(f'expected a {what} cloud of shape (N, 3) with at least one point, got {cloud.shape}.')
        if not np.isfinite(cloud).all():
            raise ValueError(f'expected finite coordinates, the {what} cloud has others.')
    trees = [cKDTree(cloud) for cloud in clouds]
    forward, backward = (tree.query(cloud, workers=workers)[0] for cloud, tree in zip(clouds, reversed(trees)))
    precision, recall = (forward < threshold).mean(), (backward < threshold).mean()
    return CloudScores(
        float(forward.mean() + backward.mean()) / 2,
        float(np.square(forward).mean() + np.square(backward).mean()),
        float(2 * precision * recall / max(precision + recall, np.finfo(float).tiny)),
    )
