import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from mmpt.evaluation.protocols import knn, knn_accuracy, knn_predict


def _data(seed=0, n=90, m=40, c=6, classes=4):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, c)) * 1.2
    train_y, test_y = rng.integers(classes, size=n), rng.integers(classes, size=m)
    return (
        centers[train_y] + rng.normal(size=(n, c)),
        train_y,
        centers[test_y] + rng.normal(size=(m, c)),
        test_y,
    )


def _slow(train_x, train_y, test_x, k, metric):
    predicted = []
    for query in test_x:
        if metric == 'euclidean':
            distance = [np.sqrt(((query - x) ** 2).sum()) for x in train_x]
        else:
            distance = [1 - query @ x / np.linalg.norm(query) / np.linalg.norm(x) for x in train_x]
        voters = [train_y[i] for i in sorted(range(len(train_x)), key=lambda i: (distance[i], i))[:k]]
        most = max(voters.count(label) for label in voters)
        predicted.append(next(label for label in voters if voters.count(label) == most))
    return np.array(predicted)


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@pytest.mark.parametrize('k', [1, 2, 5, 90])
def test_equals_a_slow_loop(k, metric):
    train_x, train_y, test_x, test_y = _data()
    expected = _slow(train_x, train_y, test_x, k, metric)
    assert (knn_predict(train_x, train_y, test_x, k, metric, standardize=False) == expected).all()
    accuracy = knn_accuracy(train_x, train_y, test_x, test_y, k, metric, standardize=False)
    assert accuracy == (expected == test_y).mean()


def test_equals_scikit_learn_and_chunks_do_not_show(monkeypatch):
    # Two classes and an odd k: no tie of votes, so both must agree on every shape.
    train_x, train_y, test_x, test_y = _data(classes=2)
    theirs = KNeighborsClassifier(5, algorithm='brute').fit(train_x, train_y).score(test_x, test_y)
    whole = knn_accuracy(train_x, train_y, test_x, test_y, 5, standardize=False)
    assert whole == theirs
    monkeypatch.setattr(knn, '_CHUNK_BYTES', 8 * len(train_x) * 7)
    assert knn_accuracy(train_x, train_y, test_x, test_y, 5, standardize=False) == whole


def test_equal_distances_go_to_the_first_training_row():
    x = np.random.default_rng(0).normal(size=(50, 33))
    train_x = np.concatenate([x, x])
    first = np.arange(50)
    # Each query has two training shapes at distance exactly 0 with different labels.
    assert (knn_predict(train_x, np.concatenate([first, first + 50]), x) == first).all()
    assert (knn_predict(train_x, np.concatenate([first + 50, first]), x) == first + 50).all()


def test_equal_votes_go_to_the_nearest_class():
    train_x, train_y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([7, 3, 3, 7])
    assert knn_predict(train_x, train_y, np.array([[0.0]]), 4, standardize=False)[0] == 7
    assert knn_predict(train_x, train_y, np.array([[0.0]]), 3, standardize=False)[0] == 3


def test_standardising_weighs_columns_alike_and_uses_the_training_part():
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=200)
    x = np.column_stack([label + 0.1 * rng.normal(size=200), 1000 * rng.normal(size=200)])
    parts = x[:150], label[:150], x[150:], label[150:]
    assert knn_accuracy(*parts) > 0.95
    assert knn_accuracy(*parts, standardize=False) < 0.75
    # An outlier in the test part must not change how the others are classified.
    outlier = np.concatenate([x[150:], [[1e9, 1e9]]])
    alone, together = knn_predict(*parts[:3]), knn_predict(*parts[:2], outlier)
    assert (alone == together[:-1]).all()


@pytest.mark.parametrize(
    'change, error, words',
    [
        (lambda d: d.update(train_x=d['train_x'][0]), ValueError, r'\(N, C\)'),
        (lambda d: d.update(train_y=d['train_y'][:-1]), ValueError, 'labels of shape'),
        (lambda d: d.update(test_x=d['test_x'][:, :-1]), ValueError, 'one encoder'),
        (lambda d: d.update(test_y=d['test_y'] * 1.0), TypeError, 'integers'),
        (lambda d: d.update(train_y=d['train_y'] - 1), ValueError, 'negative'),
        (lambda d: d['test_x'].__setitem__((3, 2), np.nan), ValueError, '1 of 40 test features .* row 3'),
        (lambda d: d.update(k=91), ValueError, 'k = 91'),
        (lambda d: d.update(metric='hamming'), ValueError, 'hamming'),
    ],
)
def test_bad_input_is_one_sentence(change, error, words):
    data = dict(zip(('train_x', 'train_y', 'test_x', 'test_y'), _data()))
    change(data)
    with pytest.raises(error, match=words) as caught:
        knn_accuracy(**data)
    assert '\n' not in str(caught.value)
