"""Retrieval on arrays: against a slow loop, against scikit-learn, on ties, and where nothing can be measured."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier

from mmpt.evaluation.protocols import RetrievalProtocol, class_prototypes, nearest_prototype, retrieve

KS = (1, 5, 10)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.integers(0, 4, 59), [7]])  # 7 stands alone
    shapes = rng.normal(size=(60, 8)) + np.eye(8)[labels % 8]
    return shapes, shapes + 0.9 * rng.normal(size=(60, 8)), labels


def slow(queries, gallery, labels, itself):
    """The definitions, one query at a time: who comes first, own partner, first of the class, precision."""
    pair, by_class, precision = [], [], []
    for i, q in enumerate(queries):
        cosine = [q @ g / np.linalg.norm(q) / np.linalg.norm(g) for g in gallery]
        ranked = sorted((j for j in range(len(gallery)) if not (itself and j == i)), key=lambda j: (-cosine[j], j))
        pair.append(ranked.index(i) if i in ranked else None)
        right = [labels[j] == labels[i] for j in ranked]
        if any(right):
            by_class.append(right.index(True))
            hits = [sum(right[: place + 1]) / (place + 1) for place, yes in enumerate(right) if yes]
            precision.append(sum(hits) / len(hits))
    return pair, by_class, precision


@pytest.mark.parametrize('itself', [False, True])
def test_scores_are_those_of_a_slow_loop(data, itself, monkeypatch):
    shapes, images, labels = data
    # Chunks of seven queries.
    monkeypatch.setattr('mmpt.evaluation.protocols.retrieval._CHUNK_BYTES', 8 * 60 * 7)
    scores = retrieve(shapes, None if itself else images, labels)
    pair, by_class, precision = slow(shapes, shapes if itself else images, labels, itself)
    assert len(by_class) == (59 if itself else 60)
    if itself:
        assert scores.pair is None
    else:
        assert scores.pair == pytest.approx({k: np.mean([rank < k for rank in pair]) for k in KS}, abs=1e-9)
    assert scores.by_class == pytest.approx({k: np.mean([rank < k for rank in by_class]) for k in KS}, abs=1e-9)
    assert scores.mean_ap == pytest.approx(np.mean(precision), abs=1e-9)


def test_mean_average_precision_is_that_of_scikit_learn(data):
    shapes, images, labels = data
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (shapes, images)]
    expected = [average_precision_score(labels == label, unit[1] @ q) for label, q in zip(labels, unit[0])]
    assert retrieve(shapes, images, labels).mean_ap == pytest.approx(np.mean(expected), abs=1e-6)


def test_length_does_not_count_and_order_of_rows_does_not(data):
    shapes, images, labels = data
    scores = retrieve(shapes, images, labels)
    stretched = retrieve(shapes * np.arange(1, 61)[:, None], images * 4, labels)
    turn = np.random.default_rng(1).permutation(60)
    turned = retrieve(shapes[turn], images[turn], labels[turn])
    assert scores.pair == stretched.pair == turned.pair
    assert scores.mean_ap == pytest.approx(stretched.mean_ap) == pytest.approx(turned.mean_ap)
    assert np.array_equal(turn[turned.order], scores.order[turn])


def test_equal_embeddings_come_in_the_order_of_the_gallery():
    """An encoder that gives everything the same embedding finds the own partner as often as chance does."""
    same = np.tile(np.random.default_rng(0).normal(size=9), (23, 1))
    scores = retrieve(same, same, np.arange(23) % 2)
    assert scores.pair == pytest.approx({k: k / 23 for k in KS})
    assert np.array_equal(scores.order, np.tile(np.arange(10), (23, 1)))
    assert retrieve(same, None, np.arange(23) % 2).order[0].tolist() == list(range(1, 11))


def test_perfect_embeddings_score_one(data):
    shapes, _, labels = data
    scores = retrieve(shapes, shapes, labels)
    assert set(scores.pair.values()) == {1.0} and set(scores.by_class.values()) == {1.0}
    by_class = retrieve(np.eye(8)[labels[:59]], None, labels[:59])
    assert by_class.mean_ap == 1.0


def test_without_labels_there_are_pairs_only(data):
    shapes, images, _ = data
    scores = retrieve(shapes, images)
    assert scores.by_class is None and scores.mean_ap is None and scores.order.shape == (60, 10)


def test_prototypes_are_means_of_the_drawn_rows_and_classes_are_the_nearest(data):
    shapes, images, labels = data
    images, labels = images[:59], labels[:59]
    classes, prototypes = class_prototypes(images, labels, 3, seed=1)
    assert classes.tolist() == [0, 1, 2, 3]
    for label, prototype in zip(classes, prototypes):
        rows = np.random.default_rng([1, label]).permutation(np.flatnonzero(labels == label))[:3]
        np.testing.assert_allclose(prototype, sum(images[r] / np.linalg.norm(images[r]) for r in rows) / 3, atol=1e-12)
    predicted = nearest_prototype(shapes, classes, prototypes)
    reference = KNeighborsClassifier(1, metric='cosine').fit(prototypes, classes)
    assert np.array_equal(predicted, reference.predict(shapes))
    # Another class does not move a draw.
    fewer = class_prototypes(images[labels > 0], labels[labels > 0], 3, seed=1)
    np.testing.assert_array_equal(fewer[1], prototypes[1:])


@pytest.mark.parametrize(
    ('call', 'said'),
    [
        (lambda x, y: retrieve(x, x[:5]), 'same shape, row by row'),
        (lambda x, y: retrieve(x[:1], x[:1]), 'at least two queries'),
        (lambda x, y: retrieve(x * np.nan, x), 'finite'),
        (lambda x, y: retrieve(x, x, y - 1), 'negative'),
        (lambda x, y: retrieve(x, None, np.arange(len(x))), 'alone in its'),
        (lambda x, y: class_prototypes(x, y, 2), 'Class 7 has 1 training pictures, fewer than the 2'),
        (lambda x, y: RetrievalProtocol(ks=(5, 1)), 'ascending ks'),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(data, call, said):
    shapes, _, labels = data
    with pytest.raises(ValueError, match=said):
        call(shapes, labels)


def test_the_default_protocol_does_not_move():
    protocol = RetrievalProtocol()
    assert protocol.to_dict() == {'ks': (1, 5, 10), 'prototype_images': 10, 'seed': 0}
    assert 'equal ones in the order of the gallery' in protocol.describe()
