"""k-nearest-neighbour classification: exact distances, deterministic on ties."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import check_parts, standardize_parts

__all__ = ['knn_accuracy', 'knn_predict']

_CHUNK_BYTES = 64 * 2**20


def knn_accuracy(
    train_x: Any,
    train_y: Any,
    test_x: Any,
    test_y: Any,
    k: int = 1,
    metric: str = 'euclidean',
    *,
    standardize: bool = True,
) -> float:
    """Share of test shapes whose label the majority of their k nearest training shapes has.

    Args:
        train_x (array): (N, C) features.
        train_y (array): (N,) integer labels.
        test_x (array): (M, C) features.
        test_y (array): (M,) integer labels.
        k (int): neighbours that vote, each with one vote.
        metric (str): ``euclidean`` or ``cosine``.
        standardize (bool): scale columns by the training part's mean and deviation first.

    Returns:
        float: accuracy in [0, 1].
    """
    train_x, train_y, test_x, test_y = check_parts(train_x, train_y, test_x, test_y)
    predicted = knn_predict(train_x, train_y, test_x, k, metric, standardize=standardize)
    return float((predicted == test_y).mean())


def knn_predict(
    train_x: NDArray[np.float64],
    train_y: NDArray[np.int64],
    test_x: NDArray[np.float64],
    k: int = 1,
    metric: str = 'euclidean',
    *,
    standardize: bool = True,
) -> NDArray[np.int64]:
    """Labels that the k nearest training shapes vote for.

    Equal distances are ordered by the row in the training part. Equal votes go to the class whose nearest voter is
    nearest.

    Args:
        train_x (ndarray): (N, C) features.
        train_y (ndarray): (N,) int64 labels.
        test_x (ndarray): (M, C) features.
        k (int): neighbours that vote.
        metric (str): ``euclidean`` or ``cosine``.
        standardize (bool): scale columns by the training part's mean and deviation first.

    Returns:
        ndarray: (M,) int64.
    """
    from scipy.spatial.distance import cdist

    if metric not in ('euclidean', 'cosine'):
        raise ValueError(f"The kNN metric is 'euclidean' or 'cosine', not {metric!r}.")
    if not 1 <= k <= len(train_x):
        raise ValueError(f'kNN asks for k = {k} neighbours, but the training part holds {len(train_x)} shapes.')
    if standardize:
        train_x, test_x = standardize_parts(train_x, test_x)
    if metric == 'cosine':
        train_x, test_x = _unit_rows(train_x), _unit_rows(test_x)
    predicted = np.empty(len(test_x), dtype=np.int64)
    rows = max(1, _CHUNK_BYTES // (8 * len(train_x)))
    for start in range(0, len(test_x), rows):
        # scipy's loop over each pair, not a matrix product: equal shapes then have exactly equal distances.
        distance = cdist(test_x[start : start + rows], train_x, 'sqeuclidean')
        nearest = distance.argmin(axis=1)[:, None] if k == 1 else distance.argsort(axis=1, kind='stable')[:, :k]
        predicted[start : start + rows] = _vote(train_y[nearest])
    return predicted


def _unit_rows(x: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def _vote(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Most frequent label of each row of (M, k) votes, which come nearest first."""
    count = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    # argmax takes the first of equals, which is the nearest voter.
    return votes[np.arange(len(votes)), count.argmax(axis=1)]
