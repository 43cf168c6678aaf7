"""Mean IoU of parts: the same as a slow count, whatever the ranks, and bad rows are named."""

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from mmpt.evaluation import PartIoU, metrics
from mmpt.evaluation.protocols import part_iou, shape_iou

PARTS = (4, 2, 3, 5)


def random_shapes(count=60, num=40, seed=0):
    """Truth and prediction that miss a part now and then; class 2 has no shape."""
    rng, shapes = np.random.default_rng(seed), []
    for _ in range(count):
        label = int(rng.choice([0, 1, 3]))
        truth = rng.integers(rng.integers(1, PARTS[label] + 1), size=num)
        predicted = np.where(rng.random(num) < 0.6, truth, rng.integers(rng.integers(1, PARTS[label] + 1), size=num))
        shapes.append((label, truth, predicted))
    return shapes


def slow_iou(truth, predicted, parts):
    values = []
    for part in range(parts):
        both = sum(1 for a, b in zip(truth, predicted) if a == part and b == part)
        either = sum(1 for a, b in zip(truth, predicted) if a == part or b == part)
        values.append(both / either if either else 1.0)
    return sum(values) / parts


def fields(number, shape):
    label, truth, predicted = shape
    return {
        'sample_id': f'{number:03d}',
        'label': label,
        'class_name': f'c{label}',
        'parts': truth,
        'predicted_parts': predicted,
    }


def test_one_shape_is_a_slow_count_and_scikit_learns():
    for label, truth, predicted in random_shapes():
        found = shape_iou(truth, predicted, PARTS[label])
        assert found == pytest.approx(slow_iou(truth, predicted, PARTS[label]), abs=1e-9)
        theirs = jaccard_score(truth, predicted, labels=range(PARTS[label]), average='macro', zero_division=1.0)
        assert found == pytest.approx(theirs, abs=1e-9)


def test_absent_parts_count_one():
    assert shape_iou([0, 0], [0, 0], 4) == 1.0
    # Half of part 0, nothing of part 1 that only the prediction has, two parts that neither has.
    assert shape_iou([0, 0], [0, 1], 4) == pytest.approx((0.5 + 0.0 + 1.0 + 1.0) / 4)


def test_instance_and_class_means(monkeypatch):
    said = []
    monkeypatch.setattr(metrics.part_iou, 'print_log', lambda text, **_: said.append(text))
    shapes = random_shapes()
    metric = PartIoU(PARTS)
    metric.process(None, [fields(number, shape) for number, shape in enumerate(shapes)])
    scores = metric.evaluate(len(shapes))
    by_class = {label: [slow_iou(t, p, PARTS[label]) for c, t, p in shapes if c == label] for label in (0, 1, 3)}
    everything = sum(by_class.values(), [])
    assert scores['part/instance_miou'] == pytest.approx(sum(everything) / len(everything), abs=1e-9)
    means = {label: sum(values) / len(values) for label, values in by_class.items()}
    assert scores['part/class_miou'] == pytest.approx(sum(means.values()) / 3, abs=1e-9)
    assert {name: scores[f'part/{name}'] for name in ('c0', 'c1', 'c3')} == pytest.approx(
        {f'c{label}': mean for label, mean in means.items()}, abs=1e-9
    )
    assert len(scores) == 5 and f'{len(shapes)} shapes of 3 classes (1 classes have none here' in said[0]
    assert np.isnan(part_iou([0.5], [1], 4).by_class).tolist() == [True, False, True, True]


def test_padding_of_the_sampler_and_its_order_change_nothing():
    rows = [fields(number, shape) for number, shape in enumerate(random_shapes(10))]
    one, other = PartIoU(PARTS), PartIoU(PARTS)
    one.process(None, rows)
    other.process(None, [*rows[::-1], rows[3], {**rows[4], 'sample_id': 'instead', 'skipped': ('a file',)}])
    assert one.evaluate(10) == other.evaluate(10)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'predicted_parts': None}, 'needs the field `predicted_parts`, but sample 000 has none'),
        ({'parts': None}, 'needs the field `parts`'),
        ({'label': 4}, 'sample 000 is of class 4.*those of 4 classes'),
        ({'parts': np.full(40, 5)}, 'sample 000 of class .: expected parts from 0 to .*, got a true part 5'),
        ({'predicted_parts': np.zeros(3, int)}, r'arrays of shape \(40,\) and \(3,\)'),
    ],
)
def test_bad_rows_are_named(change, message):
    metric = PartIoU(PARTS)
    metric.process(None, [{**fields(0, random_shapes(1)[0]), **change}])
    with pytest.raises(ValueError, match=message):
        metric.evaluate(1)
