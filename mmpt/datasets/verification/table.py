"""The facts of all samples of a data set, column by column."""

from __future__ import annotations

from collections import Counter

import numpy as np

from .facts import Facts
from .fingerprint import MOMENTS, SPREAD

__all__ = ['NO_LABEL', 'FactsTable']

NO_LABEL = -(2**62)
# The spread of the moments is the largest column; of more samples it is not kept (a column of length 0).
_MOST_SPREADS = 200_000
_COLUMNS = {
    'index': ((), np.int64),
    'label': ((), np.int64),
    'count': ((), np.int64),
    'low': ((3,), np.float64),
    'high': ((3,), np.float64),
    'mean': ((3,), np.float64),
    'radius': ((), np.float64),
    'shares': ((3,), np.float32),
    'places': ((3,), np.float32),
    'fingerprint': ((), np.uint64),
    'moments': ((MOMENTS,), np.float64),
    'spread': ((SPREAD,), np.float32),
    'bent_normals': ((), np.float32),
    'brightest': ((), np.float32),
    'pictures': ((), np.int64),
}


class FactsTable:
    """Collects facts, at about 2.4 KB a sample, or 0.5 KB where there are more than 200,000.

    Args:
        total (int): how many samples will come at most.

    Attributes:
        columns (dict[str, ndarray]): of what was read without an error, one row a sample, in the order they came; a
            missing label is ``NO_LABEL``. Read with ``table['radius']``.
        read (int): how many samples came.
        errors (list[tuple[int, str, str]]): index, kind and sentence of what could not be read.
        bad_pictures (list[str]): sentences.
        keys (dict[tuple[str, ...], list[int]]): how many samples carry this beside coordinates, and the first of them.
        color_types (Counter[str]): type of the colours, number of samples.
        semantic (ndarray): (K + 1,) points of each class over all scenes, and last of those out of range.
        scenes (ndarray): (K + 1,) scenes with such points.
    """

    def __init__(self, total: int) -> None:
        self._arrays = {name: np.empty((total, *shape), dtype) for name, (shape, dtype) in _COLUMNS.items()}
        if total > _MOST_SPREADS:
            self._arrays['spread'] = np.empty((0, SPREAD), np.float32)
        self._filled = self.read = 0
        self.errors: list[tuple[int, str, str]] = []
        self.bad_pictures: list[str] = []
        self.keys: dict[tuple[str, ...], list[int]] = {}
        self.color_types: Counter[str] = Counter()
        self.semantic = self.scenes = np.zeros(0, np.int64)

    def add(self, facts: Facts) -> None:
        """Take up a sample."""
        self.read += 1
        if facts.error is not None:
            self.errors.append((facts.index, *facts.error))
            return
        for name, array in self._arrays.items():
            if len(array):
                value = getattr(facts, name)
                array[self._filled] = NO_LABEL if value is None else value
        self._filled += 1
        self.bad_pictures += facts.bad_pictures
        self.keys.setdefault(facts.keys, [0, facts.index])[0] += 1
        self.color_types.update([facts.color_type] if facts.color_type else [])
        if len(facts.semantic):
            if not len(self.semantic):
                self.semantic, self.scenes = np.zeros((2, len(facts.semantic)), np.int64)
            self.semantic = self.semantic + facts.semantic
            self.scenes = self.scenes + (facts.semantic > 0)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name][: self._filled]

    def __len__(self) -> int:
        """Samples read without an error."""
        return self._filled
