"""Mean IoU of classes of points: scikit-learn's, whatever the ranks; classes that are not there; bad rows are named."""

import numpy as np
import pytest
import sklearn.metrics as theirs

from mmpt.evaluation import SemanticIoU
from mmpt.evaluation.metrics import semantic_iou
from mmpt.evaluation.protocols import confusion_matrix, semantic_scores

CLASSES = 7


def random_scenes(count=6, seed=0):
    """Truth with unlabelled points and without class 4; prediction without 4 and 5, and with 6, which no truth has."""
    rng, scenes = np.random.default_rng(seed), []
    for _ in range(count):
        truth = rng.choice([-1, 0, 1, 2, 3, 5], size=rng.integers(50, 400))
        predicted = np.where(rng.random(len(truth)) < 0.6, truth, rng.choice([0, 1, 2, 3, 6], size=len(truth)))
        scenes.append((truth, np.where((predicted < 0) | (predicted == 5), 0, predicted)))
    return scenes


def fields(number, truth, predicted):
    return {'sample_id': f'room_{number}', 'semantic': truth, 'predicted_semantic': predicted}


def scored(scenes, **kwargs):
    metric = SemanticIoU(CLASSES, **kwargs)
    metric.dataset_meta = {'classes': tuple('abcdefg')}
    metric.process(None, [fields(number, *scene) for number, scene in enumerate(scenes)])
    return metric.evaluate(len(scenes))


def test_scores_are_scikit_learns():
    scenes = random_scenes()
    truth, predicted = (np.concatenate(arrays) for arrays in zip(*scenes))
    truth, predicted = truth[truth >= 0], predicted[truth >= 0]
    there = sorted({*truth} | {*predicted})
    iou = theirs.jaccard_score(truth, predicted, labels=there, average=None)
    scores = scored(scenes)
    assert scores['semantic/miou'] == pytest.approx(iou.mean(), abs=1e-9)
    assert scores['semantic/accuracy'] == pytest.approx(theirs.accuracy_score(truth, predicted), abs=1e-9)
    recall = theirs.recall_score(truth, predicted, labels=sorted({*truth}), average='macro')
    assert scores['semantic/class_accuracy'] == pytest.approx(recall, abs=1e-9)
    for number, value in zip(there, iou):
        assert scores[f'semantic/{"abcdefg"[number]}'] == pytest.approx(value, abs=1e-9)
    np.testing.assert_array_equal(
        confusion_matrix(truth, predicted, CLASSES), theirs.confusion_matrix(truth, predicted, labels=range(CLASSES))
    )


def test_a_class_that_is_nowhere_is_left_out_and_one_only_predicted_counts_zero(monkeypatch):
    said = []
    monkeypatch.setattr(semantic_iou, 'print_log', lambda text, **_: said.append(text))
    scores = scored(random_scenes())
    assert len(said) == 1 and said[0].endswith('; neither labelled nor predicted, so left out: e.')
    assert 'semantic/e' not in scores and scores['semantic/g'] == scores['semantic/f'] == 0
    alone = semantic_scores([[3, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert alone.miou == pytest.approx((0.75 + 0) / 2) and alone.class_accuracy == alone.accuracy == 0.75
    assert np.isnan(alone.iou[2])


def test_unlabelled_points_do_not_count():
    (truth, predicted), *_ = random_scenes()
    other = np.where(truth < 0, 6, predicted)
    np.testing.assert_array_equal(*(confusion_matrix(truth, rows, CLASSES) for rows in (predicted, other)))


def test_ranks_that_hold_unequally_many_rooms_and_repeat_some(monkeypatch):
    scenes = random_scenes()
    metric = SemanticIoU(CLASSES)
    rows = [(metric.key(f), metric.row(f)) for f in (fields(number, *scene) for number, scene in enumerate(scenes))]
    # Two ranks, one of which has four rooms, the other three: one of the first rank's again.
    shares = [rows[3:] + rows[:1], rows[:3]]
    monkeypatch.setattr('mmpt.evaluation.metrics.base.all_gather_object', lambda own: shares)
    found = metric.evaluate(7)
    alone = scored(scenes)
    assert found['semantic/miou'] == alone['semantic/miou'] and found['semantic/accuracy'] == alone['semantic/accuracy']


def test_a_row_that_cannot_be_scored_is_named():
    truth, predicted = random_scenes()[0]
    for bad, words in (
        ((truth + 7, predicted), 'sample room_0: expected classes from -1 to 6, got a true class'),
        ((truth, predicted - 3), 'got a predicted class'),
        ((truth[1:], predicted), 'got arrays of shape'),
        ((None, predicted), 'needs the field `semantic`'),
        ((np.full_like(truth, -1), predicted), 'all labels are -1'),
    ):
        with pytest.raises(ValueError, match=words):
            scored([bad])
