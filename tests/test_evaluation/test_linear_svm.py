import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from mmpt.evaluation.protocols import C_RULES, linear_svm, svm

GRID = (1e-2, 1e-1, 1.0)


def _data(seed=0, n=150, m=90, c=12, classes=3, noise=2.0):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, c))
    y = np.arange(n + m) % classes
    x = centers[y] + noise * rng.normal(size=(n + m, c))
    x *= 10.0 ** rng.uniform(-2, 2, size=c)
    return x[:n], y[:n], x[n:], y[n:]


def test_equals_scikit_learn_with_a_scaler_of_the_training_part():
    train_x, train_y, test_x, test_y = _data()
    scaler = StandardScaler().fit(train_x)
    theirs = LinearSVC(C=0.1, dual=False).fit(scaler.transform(train_x), train_y)
    ours = linear_svm(train_x, train_y, test_x, test_y, C=0.1)
    assert (ours.predicted == theirs.predict(scaler.transform(test_x))).all()
    assert ours.accuracy == (ours.predicted == test_y).mean() > 0.5
    assert ours.C == 0.1 and ours.cv_scores == {} and ours.converged


def test_test_features_do_not_leak_into_the_scaler():
    train_x, train_y, test_x, test_y = _data()
    outliers = np.concatenate([test_x, 1e6 * np.ones((60, test_x.shape[1]))])
    alone = linear_svm(train_x, train_y, test_x, test_y, grid=GRID)
    together = linear_svm(train_x, train_y, outliers, np.concatenate([test_y, np.zeros(60, int)]), grid=GRID)
    assert (together.predicted[: len(test_x)] == alone.predicted).all()
    assert (together.C, together.cv_scores) == (alone.C, alone.cv_scores)
    # The check above would notice: a scaler that sees the test part does change predictions here.
    scaler = StandardScaler().fit(np.concatenate([train_x, outliers]))
    leaking = LinearSVC(C=alone.C, dual=False).fit(scaler.transform(train_x), train_y)
    assert (leaking.predict(scaler.transform(test_x)) != alone.predicted).any()


def test_cross_validation_never_sees_the_test_part():
    train_x, train_y, test_x, test_y = _data()
    rng = np.random.default_rng(1)
    one = linear_svm(train_x, train_y, test_x, test_y, grid=GRID)
    other = linear_svm(train_x, train_y, test_x, rng.permutation(test_y), grid=GRID)
    third = linear_svm(train_x, train_y, rng.normal(size=test_x.shape), test_y, grid=GRID)
    assert (one.C, one.cv_scores) == (other.C, other.cv_scores) == (third.C, third.cv_scores)
    assert (one.predicted == other.predicted).all()
    assert set(one.cv_scores) == set(GRID)
    assert one.cv_scores[one.C] == max(one.cv_scores.values())


def test_the_scaler_is_fitted_anew_inside_each_fold(monkeypatch):
    fitted = []
    inner = svm.standardize_parts
    monkeypatch.setattr(svm, 'standardize_parts', lambda a, b: (fitted.append((len(a), len(b))), inner(a, b))[1])
    linear_svm(*_data(), grid=(0.1,), folds=5)
    assert sorted(fitted) == [(120, 30)] * 5 + [(150, 90)]


def test_chooses_the_better_c_and_the_smaller_of_equals():
    train_x, train_y, test_x, test_y = _data(noise=0.05)
    assert linear_svm(train_x, train_y, test_x, test_y, grid=(1.0, 0.1)).C == 0.1
    # A tiny C predicts the largest class for all.
    train_x, train_y, test_x, test_y = _data(noise=1.0)
    train_y = np.minimum(train_y, 1)
    chosen = linear_svm(train_x, train_y, test_x, test_y, grid=(1e-9, 0.1))
    assert chosen.cv_scores[0.1] > chosen.cv_scores[1e-9] and chosen.C == 0.1


@pytest.mark.parametrize('rule', sorted(C_RULES))
def test_published_rules_name_classifier_and_c(rule):
    train_x, train_y, test_x, test_y = _data()
    kind, value = C_RULES[rule]
    theirs = SVC(kernel='linear', C=value) if kind == 'SVC' else LinearSVC(C=value, dual=False)
    scaler = StandardScaler().fit(train_x)
    expected = theirs.fit(scaler.transform(train_x), train_y).predict(scaler.transform(test_x))
    ours = linear_svm(train_x, train_y, test_x, test_y, C=rule)
    assert value == ours.C
    assert (ours.predicted == expected).mean() > 0.98


def test_threads_and_repetition_change_nothing():
    data = _data()
    runs = [linear_svm(*data, grid=GRID, jobs=jobs) for jobs in (1, 2, 2)]
    assert all(run.cv_scores == runs[0].cv_scores and (run.predicted == runs[0].predicted).all() for run in runs)


@pytest.mark.parametrize(
    'options, change, words',
    [
        ({'C': 'mine'}, None, "one of point_bert.*not 'mine'"),
        ({'C': 0}, None, 'positive'),
        ({'classifier': 'SGD'}, None, 'SGD'),
        ({'grid': ()}, None, 'positive numbers'),
        ({'folds': 60}, None, 'too few for 60 folds'),
        ({}, lambda y: np.zeros_like(y), 'two classes'),
    ],
)
def test_bad_input_is_one_sentence(options, change, words):
    train_x, train_y, test_x, test_y = _data()
    with pytest.raises(ValueError, match=words) as caught:
        linear_svm(train_x, change(train_y) if change else train_y, test_x, test_y, **options)
    assert '\n' not in str(caught.value)
