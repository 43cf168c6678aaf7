"""The minimum that scikit-learn's ``LinearSVC`` looks for, by Newton steps on active sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ['fit_squared_hinge']

#: gradient at which a class is done, relative to that of zero weights.
_TOLERANCE = 1e-8
_MAX_STEPS = 60


def fit_squared_hinge(
    x: NDArray[np.float64], y: NDArray[np.int64], C: float, start: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], bool]:
    """One linear classifier for each class against the rest.

    Minimises ``|w|^2 / 2 + C * sum_i max(0, 1 - t_i w.x_i)^2`` over weights and intercept, which is penalised like a
    weight: what ``sklearn.svm.LinearSVC`` minimises by coordinate or trust-region steps. The sum is a parabola as long
    as the same samples lie within the margin, and few do, so that a handful of Newton steps ends at the exact minimum
    (Keerthi and DeCoste, JMLR 2005). Samples fewer than features are turned into as many features first, which changes
    no product of two samples.

    Args:
        x (ndarray): (N, D) features, scaled as they are to be.
        y (ndarray): (N,) classes 0 to K - 1, each of them there.
        C (float): weight of the errors.
        start (ndarray | None): (K, D + 1) weights to begin with, for example those of a smaller C.

    Returns:
        tuple[ndarray, bool]: (K, D + 1) weights with the intercept last, and whether all classes converged.
    """
    classes = int(y.max()) + 1
    rows = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    basis = None
    if rows.shape[0] < rows.shape[1]:
        basis, triangle = np.linalg.qr(rows.T)
        rows = np.ascontiguousarray(triangle.T)
        start = None if start is None else start @ basis
    weights = np.zeros((classes, rows.shape[1])) if start is None else start.copy()
    done = [_newton(rows, np.where(y == k, 1.0, -1.0), C, weights[k]) for k in range(classes)]
    return (weights if basis is None else weights @ basis.T), all(done)


def _newton(rows: NDArray[np.float64], sign: NDArray[np.float64], C: float, weight: NDArray[np.float64]) -> bool:
    """Move ``weight`` in place to the minimum of one class; whether it got there."""
    enough = _TOLERANCE * 2 * C * float(np.linalg.norm(sign @ rows))
    slack = 1 - sign * (rows @ weight)
    for _ in range(_MAX_STEPS):
        active = slack > 0
        inside = rows[active]
        gradient = weight - 2 * C * ((sign[active] * slack[active]) @ inside)
        if float(np.linalg.norm(gradient)) <= enough:
            return True
        curvature = 2 * C * (inside.T @ inside)
        curvature.flat[:: len(weight) + 1] += 1
        step = -np.linalg.solve(curvature, gradient)
        change = -sign * (rows @ step)
        length = _shortest(weight, step, slack, change, C, float(gradient @ step))
        weight += length * step
        slack += length * change
    return False


def _shortest(
    weight: NDArray[np.float64],
    step: NDArray[np.float64],
    slack: NDArray[np.float64],
    change: NDArray[np.float64],
    C: float,
    slope: float,
) -> float:
    """How much of a step to go: halved until the objective falls by a share of what its slope promises."""

    def objective(length: float) -> float:
        moved = weight + length * step
        errors = np.maximum(slack + length * change, 0)
        return float(moved @ moved) / 2 + C * float(errors @ errors)

    length, before = 1.0, objective(0.0)
    while objective(length) > before + 1e-4 * length * slope and length > 1e-6:
        length /= 2
    return length
