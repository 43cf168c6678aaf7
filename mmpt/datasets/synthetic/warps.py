"""Deformations of space: each moves points, turns normals and says how much it stretched the surface.

A warp is ``(points (M, 3), normals (M, 3)) -> (points, normals, stretch (M,))``, float32. With J the Jacobian, normals
become J^-T n and the stretch of area is |det J| |J^-T n|; both are exact for all three. The sampler keeps candidates
in proportion to the stretch, so points stay uniform by area on the deformed surface as long as there are candidates
enough where it stretches most (beyond that the density there saturates; see ``sampler.sample``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Warp = Callable[[np.ndarray, np.ndarray], 'tuple[np.ndarray, np.ndarray, np.ndarray]']


def _finish(normals):
    stretch = np.sqrt(np.einsum('ij,ij->i', normals, normals))
    normals /= stretch[:, None]
    return stretch


class Bend(NamedTuple):
    """Bend the ``along`` axis towards the ``toward`` axis with a constant curvature.

    Attributes:
        curvature: 1 / length; curvature * (coordinate along ``toward``) must stay below 1.
        along: axis that becomes an arc, 0, 1 or 2.
        toward: axis that the arc's centre lies on.
    """

    curvature: float
    along: int = 1
    toward: int = 0

    def __call__(self, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See the module's docstring."""
        x, y = points[:, self.toward], points[:, self.along]
        angle = np.float32(self.curvature) * y
        cos, sin = np.cos(angle), np.sin(angle)
        # The arc's local stretch: J is a rotation by the angle times diag(1, shrink) on (toward, along).
        shrink = 1.0 - np.float32(self.curvature) * x
        moved, turned = points.copy(), normals * shrink[:, None]
        moved[:, self.toward] = (1.0 - shrink * cos) / np.float32(self.curvature)
        moved[:, self.along] = shrink * sin / np.float32(self.curvature)
        nx, ny = turned[:, self.toward].copy(), normals[:, self.along]
        turned[:, self.toward] = cos * nx + sin * ny
        turned[:, self.along] = cos * ny - sin * nx
        return moved, turned, _finish(turned)


class Twist(NamedTuple):
    """Turn about an axis by an angle in proportion to the coordinate along it.

    Attributes:
        rate: radians per unit of length.
        axis: 0, 1 or 2.
    """

    rate: float
    axis: int = 1

    def __call__(self, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See the module's docstring."""
        a, b, c = self.axis, (self.axis + 1) % 3, (self.axis + 2) % 3
        p, q, nb, nc = points[:, b], points[:, c], normals[:, b], normals[:, c]
        angle = np.float32(self.rate) * points[:, a]
        cos, sin = np.cos(angle), np.sin(angle)
        moved, turned = points.copy(), normals.copy()
        moved[:, b], moved[:, c] = cos * p - sin * q, sin * p + cos * q
        turned[:, b], turned[:, c] = cos * nb - sin * nc, sin * nb + cos * nc
        # The shear's part of J^-T; the determinant is 1.
        turned[:, a] -= np.float32(self.rate) * (p * nc - q * nb)
        return moved, turned, _finish(turned)


class Relief(NamedTuple):
    """Bumps and dents: x -> x + sum over w of direction_w * sin(wave_w . x + phase_w).

    It moves space and not the surface alone, so edges do not tear and thin plates keep both sides. It is one-to-one as
    long as the sum of |direction_w| |wave_w| stays below 1.

    Attributes:
        direction: (W, 3) float32, amplitude and direction, in units of length.
        wave: (W, 3) float32, wave vectors, in radians per unit of length.
        phase: (W,) float32.
    """

    direction: np.ndarray
    wave: np.ndarray
    phase: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator, waves: int, amplitude: float, frequency: float) -> Relief:
        """Random directions; ``amplitude`` is that of the sum, ``frequency`` the length of the wave vectors."""
        direction, wave = rng.normal(size=(2, waves, 3)).astype(np.float32)
        direction *= amplitude / waves / np.linalg.norm(direction, axis=1, keepdims=True)
        wave *= frequency / np.linalg.norm(wave, axis=1, keepdims=True)
        return cls(direction, wave, (2.0 * np.pi * rng.random(waves)).astype(np.float32))

    def __call__(self, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See the module's docstring."""
        angle = points @ self.wave.T + self.phase
        moved = points + np.sin(angle) @ self.direction
        # J = I + sum of cos * direction wave^T, so its cofactor matrix times n is built from the three images of axes.
        pairs = (self.direction[:, :, None] * self.wave[:, None, :]).reshape(len(self.phase), 9)
        jacobian = (np.cos(angle) @ pairs).reshape(-1, 3, 3)
        jacobian[:, range(3), range(3)] += 1.0
        a, b, c = jacobian.transpose(2, 1, 0)
        turned = np.empty_like(normals)
        n0, n1, n2 = normals.T
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            turned[:, i] = (
                (b[j] * c[k] - b[k] * c[j]) * n0 + (c[j] * a[k] - c[k] * a[j]) * n1 + (a[j] * b[k] - a[k] * b[j]) * n2
            )
        return moved, turned, _finish(turned)
