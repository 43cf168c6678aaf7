"""Finding the same cloud twice, in whatever order its points stand and whatever scale it was given."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

__all__ = ['MOMENTS', 'Group', 'fingerprint', 'group_clouds', 'moments']

# Exponents (i, j) of x^i y^j, and beside them of z^k, of all monomials of order 2 to 4.
_PLANE = [(i, j) for i, j in product(range(5), repeat=2) if i + j <= 4]
_USED = np.array([[2 <= i + j + k <= 4 for k in range(5)] for i, j in _PLANE])
MOMENTS = int(_USED.sum())
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


def moments(points: np.ndarray) -> np.ndarray:
    """The moments of order 2 to 4 of a cloud, centred on its mean and scaled to a root mean square radius of 1.

    Args:
        points (ndarray): (N, 3) floats.

    Returns:
        ndarray: (31,) float64, the same for a shifted, scaled or permuted cloud; NaN where all points coincide.
    """
    centred = points.astype(np.float64)
    centred -= centred.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=1).mean())
    if not size > 0:
        return np.full(MOMENTS, np.nan)
    x, y, z = np.cumprod(np.stack([np.ones_like(centred), *[centred / size] * 4]), axis=0).transpose(2, 0, 1)
    plane = np.stack([x[i] * y[j] for i, j in _PLANE])
    return (plane @ z.T / len(points))[_USED]


def group_clouds(fingerprints: np.ndarray, described: np.ndarray) -> list[Group]:
    """Find the clouds that are one.

    Args:
        fingerprints (ndarray): (n,) uint64, of :func:`fingerprint`.
        described (ndarray): (n, 31), of :func:`moments`; a row with NaN is compared by its fingerprint alone.

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
