"""How far a difference between two encoders would move with other test items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ['Interval', 'paired_bootstrap']

_CHUNK_BYTES = 64 * 2**20


class Interval(NamedTuple):
    """A difference of accuracies.

    Attributes:
        mean (float): as measured.
        low (float): lower end of the interval.
        high (float): upper end.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """For example ``+0.021 [+0.008, +0.035]``."""
        return f'{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]'


def paired_bootstrap(
    pairs: Sequence[tuple[Any, Any]], *, draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> list[Interval]:
    """Percentile intervals of differences of accuracy, drawn anew over the test items.

    Both sides of a pair have answered the same items, so what an item adds to both cancels. Runs (seeds) are averaged
    first: the interval says what other test items would do, and nothing of what other seeds would.

    Args:
        pairs (Sequence): each ``(ours, theirs)``, (S, N) and (T, N) bool, True where a run is right on an item; N is
            the same for all pairs, which share their draws. A single run may be (N,).
        draws (int): resamples of the N items, with replacement.
        level (float): share of the draws within the interval.
        seed (int): of the draws.

    Returns:
        list[Interval]: mean of ours minus mean of theirs, one for each pair.

    Raises:
        ValueError: no item, or sides that differ in items.
    """
    if not pairs:
        return []
    sides = [tuple(np.atleast_2d(np.asarray(side, np.float64)) for side in pair) for pair in pairs]
    counts = {side.shape[1] for pair in sides for side in pair}
    if len(counts) != 1 or 0 in counts or any(side.ndim != 2 for pair in sides for side in pair):
        raise ValueError(
            'A paired bootstrap needs (runs, items) on both sides, the same items and at least one; it got '
            f'{", ".join(f"{ours.shape} with {theirs.shape}" for ours, theirs in sides)}.'
        )
    items = counts.pop()
    differences = np.stack([ours.mean(axis=0) - theirs.mean(axis=0) for ours, theirs in sides], axis=1)
    drawn = _resampled_means(differences, draws, np.random.default_rng(seed))
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    means = differences.sum(axis=0) / items
    return [Interval(float(mean), float(a), float(b)) for mean, a, b in zip(means, low, high)]


def _resampled_means(values: NDArray[np.float64], draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(draws, K) means of (N, K) values over N rows drawn with replacement."""
    items = len(values)
    rows = max(1, _CHUNK_BYTES // (8 * items))
    means = np.empty((draws, values.shape[1]))
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        # How often each item was drawn (multinomial), by counting draws: numpy's own multinomial is far slower.
        chosen = rng.integers(items, size=(count, items)) + items * np.arange(count)[:, None]
        weights = np.bincount(chosen.ravel(), minlength=count * items).reshape(count, items)
        means[start : start + count] = weights @ values / items
    return means
