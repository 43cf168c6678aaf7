"""Random streams: which numbers a sample is made of, and why splits never share one."""

from __future__ import annotations

import math

import numpy as np

SPLITS = ('pretrain', 'train', 'test')


def stream_seed(split: str, seed: int) -> int:
    """Turn a user's seed into the seed of one split; different splits never give the same integer.

    The residue modulo ``len(SPLITS)`` names the split, so the ranges are disjoint for all seeds, not only small ones.

    Args:
        split: 'pretrain', 'train' (evaluation) or 'test' (evaluation).
        seed: any integer from 0.

    Returns:
        The integer to give to ``free_composite`` or ``category_shape``.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    if seed < 0:
        raise ValueError(f'seed must not be negative, got {seed}')
    return len(SPLITS) * int(seed) + SPLITS.index(split)


def generator(*key: int) -> np.random.Generator:
    """A generator that depends on the key (integers from 0) alone: not on what was drawn before, nor on the process."""
    return np.random.default_rng(key)


class Draws:
    """Scalar draws from a numpy generator, a block at a time.

    Builders need some hundred scalars a shape; single calls of a numpy generator would cost more than the sampling.
    """

    def __init__(self, rng: np.random.Generator, block: int = 256):
        self._rng = rng
        self._block = block
        self._left: list[float] = []

    def unit(self) -> float:
        """A float in [0, 1)."""
        if not self._left:
            self._left = self._rng.random(self._block).tolist()
        return self._left.pop()

    def __call__(self, low: float, high: float) -> float:
        """A float in [low, high)."""
        return low + (high - low) * self.unit()

    def below(self, count: int) -> int:
        """An integer in [0, count)."""
        return int(count * self.unit())

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high], both included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.unit() < probability

    def normal(self, sigma: float = 1.0) -> float:
        """A normal number with mean zero (Box-Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.unit()))
        return sigma * radius * math.cos(2.0 * math.pi * self.unit())

    def scale(self, sigma: float) -> float:
        """A log-normal factor around 1."""
        return math.exp(self.normal(sigma))
