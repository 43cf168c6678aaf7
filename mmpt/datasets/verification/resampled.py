"""The same surface twice, with other points drawn on it."""

from __future__ import annotations

import numpy as np

from .fingerprint import MOMENTS
from .table import FactsTable

__all__ = ['MIN_POINTS', 'find_resampled']

#: Clouds of fewer points do not tell one shape from a similar one.
MIN_POINTS = 2048
# Of two samples of one surface, so many pairs are missed.
_MISSED = 0.01
# Shapes of the other data set that each one is compared with, those whose moments are nearest.
_NEAREST = 4
# Pairs that are compared at once.
_BATCH = 1024


def find_resampled(first: FactsTable, second: FactsTable) -> list[tuple[int, int]]:
    """Find the shapes of one data set that may be shapes of another one with other points.

    Two samples of one surface differ in their moments by chance, and by how much follows from the spread of the points:
    Hotelling's two-sample test (Annals of Mathematical Statistics 2, 1931), with moments in place of means. What it
    does not reject is the same shape, or one so similar that as many points do not show the difference.

    Args:
        first (FactsTable): of one data set.
        second (FactsTable): of the other.

    Returns:
        list[tuple[int, int]]: row of ``second``, and the row of ``first`` that it resembles most.
    """
    from scipy.spatial import KDTree
    from scipy.stats import chi2

    rows, others = _usable(first), _usable(second)
    if len(rows) == 0 or len(others) == 0:
        return []
    covariance = _matrices(second, others).mean(axis=0)
    # In these coordinates a step in any direction is as likely, on average, so that the nearest are those to compare.
    values, vectors = np.linalg.eigh(covariance)
    whiten = vectors / np.sqrt(np.maximum(values, 1e-9 * values[-1]))
    tree = KDTree(first['moments'][rows] @ whiten)
    _, near = tree.query(second['moments'][others] @ whiten, k=range(1, min(_NEAREST, len(rows)) + 1))
    pairs = np.stack([np.repeat(others, near.shape[1]), rows[near.ravel()]], axis=1)
    distance = np.concatenate([_test(first, second, pairs[k : k + _BATCH]) for k in range(0, len(pairs), _BATCH)])
    distance = distance.reshape(near.shape)
    best = distance.argmin(axis=1)
    alike = distance.min(axis=1) < chi2.ppf(1 - _MISSED, MOMENTS)
    return [(int(others[k]), int(rows[near[k, best[k]]])) for k in np.flatnonzero(alike)]


def _usable(table: FactsTable) -> np.ndarray:
    spread = table['spread']
    return (
        np.flatnonzero((table['count'] >= MIN_POINTS) & np.isfinite(spread).all(axis=1))
        if len(spread)
        else np.arange(0)
    )


def _matrices(table: FactsTable, rows: np.ndarray) -> np.ndarray:
    """(len(rows), 30, 30) covariance of the moments."""
    upper = np.triu_indices(MOMENTS)
    matrices = np.zeros((len(rows), MOMENTS, MOMENTS))
    matrices[:, upper[0], upper[1]] = matrices[:, upper[1], upper[0]] = table['spread'][rows]
    return matrices / table['count'][rows, None, None]


def _test(first: FactsTable, second: FactsTable, pairs: np.ndarray) -> np.ndarray:
    """Squared distance of the moments of each pair, in units of their spread; chi-square for samples of one surface."""
    away = second['moments'][pairs[:, 0]].astype(np.float64) - first['moments'][pairs[:, 1]]
    covariance = _matrices(second, pairs[:, 0]) + _matrices(first, pairs[:, 1])
    # Flat or symmetric shapes leave directions without any spread.
    ridge = 1e-9 * np.trace(covariance, axis1=1, axis2=2)[:, None, None] * np.eye(MOMENTS)
    return np.einsum('ni,ni->n', away, np.linalg.solve(covariance + ridge, away[..., None])[..., 0])
