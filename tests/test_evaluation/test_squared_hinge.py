"""The solver of the linear SVM against scikit-learn's, and against what a minimum is."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from mmpt.evaluation.protocols.squared_hinge import fit_squared_hinge


def data(n, width, classes, seed=0):
    draws = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = draws.normal(size=(classes, width))[y] + 2 * draws.normal(size=(n, width))
    return x, y


def objective(x, y, C, weights):
    rows = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    signs = np.where(y[:, None] == np.arange(len(weights)), 1.0, -1.0)
    slack = np.maximum(0, 1 - signs * (rows @ weights.T))
    return (weights**2).sum(1) / 2 + C * (slack**2).sum(0)


@pytest.mark.parametrize('C', [1e-3, 0.1, 10.0])
@pytest.mark.parametrize('size', [(200, 12, 5), (30, 64, 3), (40, 7, 2)])
def test_it_finds_the_minimum_that_scikit_learn_looks_for(size, C):
    x, y = data(*size)
    weights, converged = fit_squared_hinge(x, y, C)
    theirs = LinearSVC(C=C, dual=size[0] < size[1], tol=1e-10, max_iter=1_000_000, random_state=0).fit(x, y)
    assert converged and weights.shape == (size[2], size[1] + 1)
    reference = np.concatenate([theirs.coef_, theirs.intercept_[:, None]], axis=1)
    if size[2] == 2:
        # Of two classes scikit-learn fits the second; the first mirrors it.
        reference = np.concatenate([-reference, reference])
    np.testing.assert_allclose(weights, reference, atol=1e-5)
    assert (objective(x, y, C, weights) <= objective(x, y, C, reference) + 1e-10).all()


def test_a_start_changes_the_way_and_not_the_end():
    x, y = data(120, 9, 4)
    cold, _ = fit_squared_hinge(x, y, 1.0)
    start, _ = fit_squared_hinge(x, y, 0.01)
    before = start.copy()
    warm, converged = fit_squared_hinge(x, y, 1.0, start)
    assert converged and np.array_equal(start, before)
    np.testing.assert_allclose(warm, cold, atol=1e-8)


def test_no_other_weights_are_better():
    """On a scale that is far off, in which full Newton steps overshoot."""
    x, y = data(60, 6, 3, seed=1)
    x = x * 100 + 30
    weights, converged = fit_squared_hinge(x, y, 1.0)
    best, draws = objective(x, y, 1.0, weights), np.random.default_rng(2)
    for scale in (1e-1, 1e-3, 1e-5):
        moved = weights + scale * np.abs(weights).mean() * draws.normal(size=weights.shape)
        assert (objective(x, y, 1.0, moved) > best).all()
    assert converged
