"""Accuracies of classes against scikit-learn and a slow loop; voting; what the names of the scores say."""

import logging

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

from mmpt.evaluation import ClassificationAccuracy, VotingAccuracy
from mmpt.evaluation.metrics import base, classification
from mmpt.evaluation.protocols import class_scores, vote
from mmpt.structures import PointDataSample


@pytest.fixture
def warned(monkeypatch):
    said = []
    monkeypatch.setattr(
        classification, 'print_log', lambda text, level=0, **_: said.append(text) if level >= logging.WARNING else None
    )
    return said


def samples(logits, labels, split='test', draw=0):
    made = []
    for number, (row, label) in enumerate(zip(logits, labels)):
        sample = PointDataSample(metainfo={'sample_id': f's{number:03d}', 'split': split, 'epoch': draw})
        sample.label, sample.logits = int(label), torch.as_tensor(row)
        made.append(sample)
    return made


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 80)
    return labels, (rng.standard_normal((80, 5)) + 1.2 * np.eye(5)[labels]).astype(np.float32)


@pytest.mark.parametrize('seed', range(5))
def test_scores_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, 7, 200), rng.integers(0, 9, 200)
    scores = class_scores(labels, predicted, 9)  # classes 7 and 8 have no sample
    assert scores.accuracy == pytest.approx(accuracy_score(labels, predicted), abs=1e-12)
    assert (scores.confusion == confusion_matrix(labels, predicted, labels=range(9))).all()
    with pytest.warns(UserWarning, match='not in y_true'):
        assert scores.mean_class_accuracy == pytest.approx(balanced_accuracy_score(labels, predicted), abs=1e-12)


def test_a_class_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match='every label in 0 to 2, the classes, got 3'):
        class_scores([0, 3], [0, 1], 3)
    with pytest.raises(ValueError, match='every prediction in 0 to 2'):
        class_scores([0, 1], [0, -1], 3)
    with pytest.raises(ValueError, match='labels and predictions'):
        class_scores([], [], 3)


def test_ranks_and_padding_change_nothing(drawn, monkeypatch, tmp_path):
    labels, logits = drawn
    made = samples(logits, labels)
    whole = ClassificationAccuracy(save_predictions=tmp_path / 'p.npz')
    whole.process(None, made)
    scores = whole.evaluate(80)
    assert scores == {
        'test/accuracy': pytest.approx(accuracy_score(labels, logits.argmax(1))),
        'test/mean_class_accuracy': pytest.approx(balanced_accuracy_score(labels, logits.argmax(1))),
    }
    ranks = [ClassificationAccuracy(), ClassificationAccuracy()]
    ranks[0].process(None, made[1::2] + made[:1])  # the sampler pads with the first ones
    ranks[1].process(None, made[::2])
    parts = [metric.results for metric in ranks]
    monkeypatch.setattr(base, 'all_gather_object', lambda own: parts)
    assert ranks[0].evaluate(80) == scores
    assert (ranks[0].scores.confusion == whole.scores.confusion).all()
    with np.load(tmp_path / 'p.npz', allow_pickle=False) as file:
        assert file['ids'].tolist() == [sample.sample_id for sample in made]
        np.testing.assert_array_equal(file['logits'], logits)
        assert (file['confusion'] == confusion_matrix(labels, file['logits'].argmax(1))).all()


def test_the_name_of_a_score_is_the_part_it_is_of(drawn):
    labels, logits = drawn
    metric = ClassificationAccuracy()
    metric.process(None, samples(logits, labels, split='train'))
    assert set(metric.evaluate(80)) == {'held_out/accuracy', 'held_out/mean_class_accuracy'}
    metric.process(None, samples(logits, labels, split='train') + samples(logits, labels))
    with pytest.raises(ValueError, match='one part of a data set, but the loop runs over the splits test, train'):
        metric.evaluate(160)


def test_what_a_sample_lacks_is_named_and_a_missing_class_is_a_warning(drawn, warned):
    labels, logits = drawn
    metric = ClassificationAccuracy()
    metric.dataset_meta = {'classes': ('a', 'b', 'c', 'd', 'e')}
    metric.process(None, samples(logits, np.where(labels == 2, 1, labels)))
    metric.evaluate(80)
    assert len(warned) == 1 and '1 of 5 classes have no sample to be scored, such as c' in warned[0]
    made = samples(logits, labels)
    del made[3].label
    metric.process(None, made)
    with pytest.raises(ValueError, match='field `label`, but sample s003'):
        metric.evaluate(80)


def test_a_vote_is_the_class_of_the_mean_logits():
    logits = np.random.default_rng(0).standard_normal((6, 11, 4))
    slow = [
        [max(range(4), key=lambda k: sum(logits[r * 3 + v, m, k] for v in range(3))) for m in range(11)] for r in (0, 1)
    ]
    assert vote(logits, 3).tolist() == slow
    # Not that of the mean probabilities: one pass that is sure outweighs two that are not.
    sure = np.array([[[0.0, 9.0]], [[1.0, 0.0]], [[1.0, 0.0]]])
    assert vote(sure, 3).tolist() == [[1]]
    with pytest.raises(ValueError, match='a multiple of 4 passes'):
        vote(logits, 4)


@pytest.mark.parametrize('report_best', [False, True])
def test_repeated_votes_are_mean_and_spread_and_never_the_best(drawn, warned, report_best):
    labels, _ = drawn
    passes = np.random.default_rng(2).standard_normal((6, 80, 5)).astype(np.float32) + 0.7 * np.eye(5)[labels]
    metric = VotingAccuracy(votes=2, report_best=report_best)
    for draw in (3, 0, 5, 1, 4, 2):  # in whatever order they come
        metric.process(None, samples(passes[draw].astype(np.float32), labels, draw=draw))
    scores = metric.evaluate(480)
    each = [
        accuracy_score(labels, passes[2 * r : 2 * r + 2].astype(np.float32).astype(float).mean(0).argmax(1))
        for r in range(3)
    ]
    assert len(set(each)) == 3
    assert scores['test/voted_accuracy'] == pytest.approx(np.mean(each))
    assert scores['test/voted_accuracy_std'] == pytest.approx(np.std(each, ddof=1))
    assert metric.scores.confusion.sum() == 240
    best = [value for name, value in scores.items() if 'BEST' in name]
    assert best == ([pytest.approx(max(each))] if report_best else []) and len(warned) == report_best
    assert len(scores) == 4 + report_best


def test_draws_must_make_whole_votes(drawn):
    labels, logits = drawn
    metric = VotingAccuracy(votes=2)
    metric.process(None, samples(logits, labels))
    with pytest.raises(ValueError, match='a multiple of 2 passes'):
        metric.evaluate(80)
    metric.process(None, samples(logits, labels) + samples(logits[:7], labels[:7], draw=1))
    with pytest.raises(ValueError, match='as many draws of one sample as of another'):
        metric.evaluate(87)
