"""Linear SVM on frozen features, with C fixed, named or chosen by cross-validation on the training part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import check_parts, standardize_parts
from .squared_hinge import fit_squared_hinge

__all__ = ['C_GRID', 'C_RULES', 'SvmResult', 'linear_svm', 'resolve_c_rule']

C_GRID = (1e-3, 1e-2, 1e-1, 1.0)

C_RULES: dict[str, tuple[str, float]] = {
    'point_bert': ('LinearSVC', 1.0),
    'crosspoint': ('SVC', 0.1),
    'point_m2ae': ('SVC', 0.012),
    'i2p_mae': ('SVC', 0.0093),
    'recon': ('LinearSVC', 0.075),
}
"""The published rules for ModelNet40: name -> classifier (``LinearSVC``: squared hinge, one against the rest; ``SVC``:
hinge, one against one) and C."""

# Of libsvm; accuracies are those at its own 1e-3 or finer.
_TOLERANCE = 1e-3


class SvmResult(NamedTuple):
    """What a linear SVM reached, and how it was chosen.

    Attributes:
        accuracy (float): on the test part, in [0, 1].
        C (float): the regularisation used.
        cv_scores (dict[float, float]): C -> mean accuracy over the folds of the training part; empty when C was given.
        converged (bool): whether the solver of the final fit reached its minimum.
        predicted (ndarray): (M,) int64, predicted labels of the test part.
    """

    accuracy: float
    C: float
    cv_scores: dict[float, float]
    converged: bool
    predicted: NDArray[np.int64]


def resolve_c_rule(rule: str | float) -> tuple[str, str | float]:
    """Translate ``'cv'``, a number, or a name of ``C_RULES`` into (classifier, ``'cv'`` or number)."""
    if isinstance(rule, str):
        if rule == 'cv':
            return 'LinearSVC', 'cv'
        if rule not in C_RULES:
            raise ValueError(f"C is a number, 'cv', or one of {', '.join(C_RULES)}; not {rule!r}.")
        return C_RULES[rule]
    if not rule > 0:
        raise ValueError(f'C must be positive, not {rule}.')
    return 'LinearSVC', float(rule)


def linear_svm(
    train_x: Any,
    train_y: Any,
    test_x: Any,
    test_y: Any,
    C: str | float = 'cv',
    grid: Sequence[float] = C_GRID,
    folds: int = 5,
    seed: int = 0,
    standardize: bool = True,
    *,
    classifier: str | None = None,
    jobs: int | None = None,
) -> SvmResult:
    """Fit a linear SVM on the training part and score it on the test part.

    With ``C='cv'`` the training part is split into stratified folds; the scaler is fitted anew inside each fold, the C
    with the best mean accuracy wins (the smallest of equals), and one SVM is fitted with it on the whole training part.
    The test part takes no part in any choice. ``LinearSVC`` names what is minimised, scikit-learn's objective; the
    solver is ours (``squared_hinge.py``), which reaches the same weights several times sooner.

    Args:
        train_x (array): (N, C) features.
        train_y (array): (N,) integer labels.
        test_x (array): (M, C) features.
        test_y (array): (M,) integer labels.
        C (str | float): ``cv``, a number, or a name of ``C_RULES``, which fixes the classifier too.
        grid (Sequence[float]): values tried by ``cv``.
        folds (int): number of folds of ``cv``.
        seed (int): of the shuffle before the folds.
        standardize (bool): scale columns by the fitted part's mean and deviation.
        classifier (str | None): ``LinearSVC`` or ``SVC`` (linear kernel); None takes that of the rule.
        jobs (int | None): threads for the folds; None takes one per core.

    Returns:
        SvmResult: accuracy, C, scores per C, convergence, predictions.
    """
    train_x, train_y, test_x, test_y = check_parts(train_x, train_y, test_x, test_y)
    if len(np.unique(train_y)) < 2:
        raise ValueError(f'A linear SVM needs two classes, but every training label is {int(train_y[0])}.')
    own_classifier, value = resolve_c_rule(C)
    classifier = classifier or own_classifier
    if classifier not in ('LinearSVC', 'SVC'):
        raise ValueError(f"The classifier is 'LinearSVC' or 'SVC', not {classifier!r}.")
    cv_scores: dict[float, float] = {}
    if isinstance(value, str):
        cv_scores = _cross_validate(train_x, train_y, classifier, grid, folds, seed, standardize, jobs)
        value = min(cv_scores, key=lambda candidate: (-cv_scores[candidate], candidate))
    ((predicted, converged),) = _predict_path(train_x, train_y, test_x, classifier, [value], standardize)
    return SvmResult(float((predicted == test_y).mean()), value, cv_scores, converged, predicted)


def _cross_validate(
    x: NDArray[np.float64],
    y: NDArray[np.int64],
    classifier: str,
    grid: Sequence[float],
    folds: int,
    seed: int,
    standardize: bool,
    jobs: int | None,
) -> dict[float, float]:
    from joblib import Parallel, cpu_count, delayed
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    classes, counts = np.unique(y, return_counts=True)
    if counts.min() < folds:
        raise ValueError(
            f'Class {int(classes[counts.argmin()])} has {int(counts.min())} training shapes, too few for '
            f'{folds} folds: give C as a number, or ask for fewer folds.'
        )
    values = sorted(float(c) for c in grid)
    if not values or values[0] <= 0:
        raise ValueError(f'The grid for C must hold positive numbers, not {tuple(grid)}.')
    parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y))

    def score(fit: NDArray[np.int64], held: NDArray[np.int64]) -> list[float]:
        path = _predict_path(x[fit], y[fit], x[held], classifier, values, standardize)
        return [float((predicted == y[held]).mean()) for predicted, _ in path]

    # Threads serve, because the solvers let go of the interpreter; each fold keeps to its own.
    with threadpool_limits(1, user_api='blas'):
        scores = Parallel(n_jobs=jobs or cpu_count(), prefer='threads')(delayed(score)(*part) for part in parts)
    return {value: float(np.mean([fold[i] for fold in scores])) for i, value in enumerate(values)}


def _predict_path(
    train_x: NDArray[np.float64],
    train_y: NDArray[np.int64],
    test_x: NDArray[np.float64],
    classifier: str,
    values: Sequence[float],
    standardize: bool,
) -> list[tuple[NDArray[np.int64], bool]]:
    """Predictions and convergence for every C, ascending: each fit starts from the one before."""
    if standardize:
        train_x, test_x = standardize_parts(train_x, test_x)
    names, codes = np.unique(train_y, return_inverse=True)
    path: list[tuple[NDArray[np.int64], bool]] = []
    weights = None
    for C in values:
        if classifier == 'SVC':
            from sklearn.svm import SVC

            svm = SVC(kernel='linear', C=C, tol=_TOLERANCE).fit(train_x, train_y)
            path.append((svm.predict(test_x).astype(np.int64), True))
            continue
        weights, converged = fit_squared_hinge(train_x, codes, C, weights)
        path.append((names[(test_x @ weights[:, :-1].T + weights[:, -1]).argmax(1)], converged))
    return path
