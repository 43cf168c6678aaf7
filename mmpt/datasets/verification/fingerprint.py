"""Finding the same cloud twice, in whatever order its points stand and whatever scale it was given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

__all__ = ['MOMENTS', 'SPREAD', 'Group', 'fingerprint', 'group_clouds', 'moments']

# Exponents (i, j) of x^i y^j; with z^k, k from 0 to 4, beside them they are the monomials. Kept are those of order 2 to
# 4 without z z, which the scale fixes.
_PLANE = [(i, j) for i, j in product(range(5), repeat=2) if i + j <= 4]
_KEPT = np.array([[2 <= i + j + k <= 4 and (i, j, k) != (0, 0, 2) for k in range(5)] for i, j in _PLANE])
_EXPONENTS = np.array([(i, j, k) for i, j in _PLANE for k in range(5)])[_KEPT.ravel()]
MOMENTS = len(_EXPONENTS)
# Numbers in the upper half of a symmetric matrix of them.
SPREAD = MOMENTS * (MOMENTS + 1) // 2
# Points worked on at once, which fit into the cache; and points, evenly taken from the cloud, that tell the spread.
_CHUNK, _JUDGED = 1 << 13, 2048
# The moments of a cloud that was shifted, scaled and rounded to half precision were 3e-4 apart at most, for 256 points;
# those of two separate samples of 1,024 points on the very same surface at least 5e-3.
_TOLERANCE = 5e-4


class Group(NamedTuple):
    """Clouds that are one.

    Attributes:
        members (ndarray): (m,) int64 places in what was compared, rising, m >= 2.
        exact (bool): their coordinates are the same numbers; else they are so after another shift, scale or rounding.
    """

    members: np.ndarray
    exact: bool


def fingerprint(points: np.ndarray) -> int:
    """A number of 64 bits that depends on the coordinates of a cloud and not on the order of its points.

    Args:
        points (ndarray): (N, 3) float32.

    Returns:
        int: equal for equal multisets of points; for others with a probability of about 2**-64.
    """
    # 0.0 and -0.0 are the same coordinate in different bits.
    bits = (points.astype(np.float32) + np.float32(0)).view(np.uint32).astype(np.uint64)
    with np.errstate(over='ignore'):
        rows = _mix(_mix(_mix(bits[:, 0]) + bits[:, 1]) + bits[:, 2])
        return int(rows.sum(dtype=np.uint64))


def _mix(numbers: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al., OOPSLA 2014): every bit of the input changes half of the output."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def moments(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The moments of order 2 to 4 of a cloud, centred on its mean and scaled to a root mean square radius of 1.

    Args:
        points (ndarray): (N, 3) floats.

    Returns:
        tuple[ndarray, ndarray]: the moments (30,) float64, the same for a shifted, scaled or permuted cloud; and their
        spread (465,) float32: N times the covariance that they would have if N points were drawn anew, as the upper
        half of a matrix. NaN where all points coincide.
    """
    mean = points.mean(axis=0, dtype=np.float64)
    size = np.sqrt(sum(((rows - mean) ** 2).sum() for rows in _chunks(points)) / len(points))
    if not size > 0:
        return np.full(MOMENTS, np.nan), np.full(SPREAD, np.nan, np.float32)
    means = np.zeros(_KEPT.shape)
    for rows in _chunks(points):
        x, y, z = _powers((rows - mean) / size)
        plane = np.empty((len(_PLANE), len(rows)))
        for row, (i, j) in zip(plane, _PLANE):
            np.multiply(x[i], y[j], out=row)
        means += plane @ z.T
    means /= len(points)
    some = np.linspace(0, len(points) - 1, min(_JUDGED, len(points))).astype(int)
    return means[_KEPT], _spread((points[some].astype(np.float64) - mean) / size, means)


def _chunks(points: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(points), _CHUNK):
        yield points[start : start + _CHUNK].astype(np.float64)


def _powers(unit: np.ndarray) -> np.ndarray:
    """(3, 5, N): powers 0 to 4 of each coordinate."""
    powers = np.ones((3, 5, len(unit)))
    for k in range(1, 5):
        np.multiply(powers[:, k - 1], unit.T, out=powers[:, k])
    return powers


def _spread(unit: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Covariance of what each point contributes to the moments, mean and scale being of the same points (delta method).

    With d_k = e_k m(e - 1_k), the derivative by the mean along axis k, a point y adds
    y^e - m(e) - sum_k d_k y_k - |e| m(e) (|y|^2 - 1) / 2.
    """
    known = dict(zip([(i, j, k) for i, j in _PLANE for k in range(5)], means.ravel()))
    own = means[_KEPT]
    ones = np.eye(3, dtype=int)
    slopes = np.array([[e[k] * known.get(tuple(e - ones[k]), 0.0) for k in range(3)] for e in _EXPONENTS])
    x, y, z = _powers(unit)
    influence = np.stack([x[i] * y[j] * z[k] for i, j, k in _EXPONENTS]) - own[:, None] - slopes @ unit.T
    influence -= (_EXPONENTS.sum(axis=1) * own / 2)[:, None] * ((unit**2).sum(axis=1) - 1)
    return (influence @ influence.T / len(unit))[np.triu_indices(MOMENTS)].astype(np.float32)


def group_clouds(fingerprints: np.ndarray, described: np.ndarray) -> list[Group]:
    """Find the clouds that are one.

    Args:
        fingerprints (ndarray): (n,) uint64, of :func:`fingerprint`.
        described (ndarray): (n, 30), of :func:`moments`; a row with NaN is compared by its fingerprint alone.

    Returns:
        list[Group]: by their first member. A group in which some coordinates are the same numbers and others are not
        counts as inexact.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    if len(fingerprints) == 0:
        return []
    _, first, same = np.unique(fingerprints, return_index=True, return_inverse=True)
    usable = np.flatnonzero(np.isfinite(described[first]).all(axis=1))
    pairs = usable[KDTree(described[first[usable]]).query_pairs(_TOLERANCE, output_type='ndarray')]
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(first), len(first)))
    _, component = connected_components(links, directed=False)
    component = component[same]
    order = np.argsort(component, kind='stable')
    groups = []
    for members in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        if len(members) > 1:
            groups.append(Group(members, len(set(fingerprints[members].tolist())) == 1))
    return sorted(groups, key=lambda group: int(group.members[0]))
