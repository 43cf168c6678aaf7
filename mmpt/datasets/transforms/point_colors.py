"""Colours of points: contrast, tint, noise, none at all.

All four take and give ``colors`` (N, 3) uint8 RGB; ``PackInputs`` brings them to 0..1. The first three follow Choy et
al., 4D Spatio-Temporal ConvNets (arXiv 1904.08755), as the scene models after it use them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, name_sample

__all__ = ['ContrastPointColors', 'DropPointColors', 'JitterPointColors', 'ShiftPointColors']


class _PointColors(Transform):
    """What the four share: with which probability they act, and how colours are rounded."""

    required = ('colors', 'rng')

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw whether to act; act."""
        colors = results['colors']
        if colors.dtype != np.uint8:
            raise ValueError(
                f'{type(self).__name__} expected colors of {name_sample(results)} in uint8, 0 to 255, got '
                f'{colors.dtype}; put it in front of what converts them.'
            )
        if results['rng'].random() < self.probability:
            changed = self.change(colors.astype(np.float32), results['rng'])
            results['colors'] = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
        return results

    def change(self, colors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Other colours (N, 3), 0 to 255, possibly outside."""
        raise NotImplementedError


@TRANSFORMS.register_module()
class ContrastPointColors(_PointColors):
    """Stretch each channel of the sample to 0..255, and blend that with what was there by a random share.

    Required keys: colors, rng. Modified keys: colors.

    Args:
        probability (float): with which it acts.
    """

    def __init__(self, probability: float = 0.2) -> None:
        super().__init__(probability)

    def change(self, colors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A channel with one value stays as it is."""
        low, high = colors.min(axis=0), colors.max(axis=0)
        stretched = np.where(high > low, (colors - low) * (255 / np.maximum(high - low, 1)), colors)
        share = np.float32(rng.random())
        return (1 - share) * colors + share * stretched


@TRANSFORMS.register_module()
class ShiftPointColors(_PointColors):
    """Add one random number to each channel of the sample.

    Required keys: colors, rng. Modified keys: colors.

    Args:
        probability (float): with which it acts.
        ratio (float): the largest shift, as a share of 255.
    """

    def __init__(self, probability: float = 0.95, ratio: float = 0.05) -> None:
        super().__init__(probability)
        self.ratio = ratio

    def change(self, colors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The same for all points."""
        return colors + rng.uniform(-255 * self.ratio, 255 * self.ratio, size=3).astype(np.float32)


@TRANSFORMS.register_module()
class JitterPointColors(_PointColors):
    """Add Gaussian noise to every channel of every point.

    Required keys: colors, rng. Modified keys: colors.

    Args:
        probability (float): with which it acts.
        sigma (float): standard deviation, as a share of 255.
    """

    def __init__(self, probability: float = 0.95, sigma: float = 0.05) -> None:
        super().__init__(probability)
        self.sigma = sigma

    def change(self, colors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Another number for each."""
        return colors + 255 * self.sigma * rng.standard_normal(colors.shape, dtype=np.float32)


@TRANSFORMS.register_module()
class DropPointColors(_PointColors):
    """Make all points black, so that a model learns to do without colours.

    Required keys: colors, rng. Modified keys: colors.

    Args:
        probability (float): with which it acts.
    """

    def __init__(self, probability: float = 0.2) -> None:
        super().__init__(probability)

    def change(self, colors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Zeros."""
        return np.zeros_like(colors)
