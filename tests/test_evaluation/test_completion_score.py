"""Chamfer distances and F-score: a slow loop's, torch's, and the means that papers report."""

import numpy as np
import pytest
import torch

from mmpt.evaluation import CompletionScore
from mmpt.evaluation.protocols import cloud_scores
from mmpt.ops import chamfer_distance


def cloud(count, seed, scale=0.1):
    return np.random.default_rng(seed).uniform(-scale, scale, (count, 3))


def slow(predicted, complete, threshold):
    """Every pair, one by one."""
    forward = [min(sum((a - b) ** 2 for a, b in zip(p, q)) ** 0.5 for q in complete) for p in predicted]
    backward = [min(sum((a - b) ** 2 for a, b in zip(p, q)) ** 0.5 for p in predicted) for q in complete]
    near = [sum(d < threshold for d in side) / len(side) for side in (forward, backward)]
    f_score = 2 * near[0] * near[1] / sum(near) if sum(near) else 0.0
    means = [sum(side) / len(side) for side in (forward, backward)]
    squares = [sum(d * d for d in side) / len(side) for side in (forward, backward)]
    return sum(means) / 2, sum(squares), f_score


@pytest.mark.parametrize('threshold', [0.01, 0.03, 0.001])
def test_two_clouds_are_scored_as_a_slow_loop_does(threshold):
    for seed in range(4):
        predicted, complete = cloud(60, seed), cloud(90, seed + 100)
        found = cloud_scores(predicted, complete, threshold)
        assert found == pytest.approx(slow(predicted, complete, threshold), abs=1e-9)
        assert found == pytest.approx(cloud_scores(complete, predicted, threshold, workers=2))


def test_they_are_the_distances_that_training_minimises():
    predicted, complete = cloud(300, 0), cloud(200, 1)
    one, other = torch.from_numpy(predicted)[None], torch.from_numpy(complete)[None]
    found = cloud_scores(predicted, complete)
    assert found.chamfer_l1 == pytest.approx(chamfer_distance(one, other, 'l1').item(), abs=1e-6)
    assert found.chamfer_l2 == pytest.approx(chamfer_distance(one, other, 'l2').item(), abs=1e-6)


def test_ends_of_the_scale():
    points = cloud(50, 0)
    assert cloud_scores(points, points) == (0.0, 0.0, 1.0)
    shifted = cloud_scores([[0, 0, 0]], [[0.02, 0, 0]])
    assert shifted == pytest.approx((0.02, 2 * 0.02**2, 0.0))  # distances are not squared for the threshold
    # All that is predicted is true, and of the truth a quarter is found.
    assert cloud_scores([[0, 0, 0]], [[i, 0, 0] for i in range(4)]).f_score == pytest.approx(2 * 0.25 / 1.25)


def fields(number, **more):
    complete = cloud(80, number)
    predicted = complete + np.random.default_rng(number).normal(0, 0.01, complete.shape)
    return {
        'sample_id': f'{number:03d}',
        'label': number % 3,
        'class_name': f'c{number % 3}',
        'partial': torch.from_numpy(complete[:30]),
        'complete': torch.from_numpy(complete),
        'predicted_complete': torch.from_numpy(predicted),
        **more,
    }


def rows_of(samples):
    return np.array([slow(s['predicted_complete'].numpy(), s['complete'].numpy(), 0.01) for s in samples]) * [
        1000,
        1000,
        1,
    ]


def figures(scores, name=''):
    return [scores[f'completion/{name}{figure}'] for figure in ('chamfer_l1', 'chamfer_l2', 'f_score')]


def test_means_over_samples_and_over_classes():
    samples = [fields(number) for number in (0, 1, 2, 3, 6, 9)]  # four of class 0
    metric = CompletionScore()
    metric.process(None, samples[:4])
    metric.process(None, samples[4:])
    scores, rows = metric.evaluate(6), rows_of(samples)
    assert figures(scores) == pytest.approx(rows.mean(0), abs=1e-6)
    first = rows[[0, 3, 4, 5]].mean(0)
    assert figures(scores, 'c0/') == pytest.approx(first, abs=1e-6)
    assert figures(scores, 'class_mean/') == pytest.approx((first + rows[1] + rows[2]) / 3, abs=1e-6)
    copies = [slow(s['partial'].numpy(), s['complete'].numpy(), 0.01) for s in samples]
    assert figures(scores, 'copy/') == pytest.approx(np.mean(copies, 0) * [1000, 1000, 1], abs=1e-6)
    assert len(scores) == 3 * 6  # and nothing about cuts


def test_cuts_of_one_shape_are_rows_of_their_own():
    samples = [fields(0, removed=r, viewpoint=v, epoch=0) for r in (0.25, 0.5, 0.75) for v in (0, 5)]
    for number, sample in enumerate(samples):
        sample['predicted_complete'] = sample['predicted_complete'] + 0.01 * number
    metric = CompletionScore()
    metric.process(None, [*samples, samples[0]])  # a sampler's padding counts once
    scores, rows = metric.evaluate(6), rows_of(samples)
    assert figures(scores) == pytest.approx(rows.mean(0), abs=1e-6)
    for number, name in enumerate(('easy/', 'median/', 'hard/')):
        assert figures(scores, name) == pytest.approx(rows[2 * number : 2 * number + 2].mean(0), abs=1e-6)
    assert figures(scores, 'viewpoint_5/') == pytest.approx(rows[1::2].mean(0), abs=1e-6)


def test_shapes_without_a_class_have_no_class_mean():
    metric = CompletionScore()
    metric.process(None, [fields(0, label=None, removed=0.4)])
    assert {name.split('/')[1] for name in metric.evaluate(1) if name.count('/') == 2} == {'copy', 'removed_0.4'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'complete': None}, 'sample 000: CompletionScore needs the field `complete`'),
        ({'predicted_complete': None}, 'the field `predicted_complete`'),
        ({'predicted_complete': torch.full((4, 3), torch.nan)}, 'sample 000: expected finite.*the predicted cloud'),
        ({'complete': torch.zeros(0, 3)}, r'a complete cloud of shape \(N, 3\) with at least one point, got \(0, 3\)'),
    ],
)
def test_bad_rows_are_named(change, message):
    metric = CompletionScore()
    metric.process(None, [fields(0, **change)])
    with pytest.raises(ValueError, match=message):
        metric.evaluate(1)
