"""Average precision of boxes: that of a slow loop; volumes that boxes share are those that points count."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection

from mmpt.evaluation import DetectionAP
from mmpt.evaluation.protocols import average_precision, box_iou

CLASSES = 4
NAMES = ('chair', 'table', 'lamp', 'piano')


def random_boxes(rng, count, spread=3.0):
    sizes, yaw = rng.uniform(0.4, 2.0, (count, 3)), rng.uniform(-4, 4, (count, 1))
    return np.concatenate([rng.uniform(0, spread, (count, 3)), sizes, yaw], axis=1)


# ------------------------------------------------------------------ shared volumes


def inside(points, box):
    cos, sin = np.cos(box[6]), np.sin(box[6])
    x, y, z = (points - box[:3]).T
    own = np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=1)
    return (np.abs(own) <= box[3:6] / 2).all(axis=1)


def convex_volume(boxes):
    """What boxes share, as the hull of the corners of all their half-spaces: qhull's."""
    faces = []
    for box in boxes:
        cos, sin = np.cos(box[6]), np.sin(box[6])
        for axis, half in zip(([cos, sin, 0], [-sin, cos, 0], [0, 0, 1]), box[3:6] / 2):
            middle = np.dot(axis, box[:3])
            faces += [[*axis, -middle - half], [*np.negative(axis), middle - half]]
    faces = np.array(faces)
    # The middle of the largest ball inside, if there is one.
    inside = linprog([0, 0, 0, -1], np.c_[faces[:, :3], np.ones(len(faces))], -faces[:, 3], bounds=[(None, None)] * 4)
    if inside.status != 0 or inside.x[3] < 1e-9:
        return 0.0
    return ConvexHull(HalfspaceIntersection(faces, inside.x[:3]).intersections).volume


def test_shared_volumes_of_turned_boxes_are_those_of_half_spaces():
    rng = np.random.default_rng(3)
    boxes, others = random_boxes(rng, 12, 1.5), random_boxes(rng, 12, 1.5)
    shared = np.array([[convex_volume([box, other]) for other in others] for box in boxes])
    union = boxes[:, 3:6].prod(1)[:, None] + others[:, 3:6].prod(1) - shared
    np.testing.assert_allclose(box_iou(boxes, others), shared / union, atol=1e-6)
    assert (shared > 0).mean() > 0.3 and (shared == 0).any()


def test_shared_volumes_are_those_that_points_count():
    rng = np.random.default_rng(0)
    boxes, others = random_boxes(rng, 5, 1.0), random_boxes(rng, 5, 1.0)
    points = rng.uniform(-2, 3.5, (60000, 3))
    found = box_iou(boxes, others)
    for row, box in enumerate(boxes):
        for column, other in enumerate(others):
            one, two = inside(points, box), inside(points, other)
            assert found[row, column] == pytest.approx((one & two).sum() / (one | two).sum(), abs=0.04)
    assert found.max() > 0.2


def test_along_the_axes_and_in_special_places_volumes_have_a_closed_form():
    rng = np.random.default_rng(1)
    boxes, others = random_boxes(rng, 20, 1.5), random_boxes(rng, 20, 1.5)
    boxes[:, 6], others[:, 6] = 0, 0
    low = np.maximum((boxes[:, :3] - boxes[:, 3:6] / 2)[:, None], others[:, :3] - others[:, 3:6] / 2)
    high = np.minimum((boxes[:, :3] + boxes[:, 3:6] / 2)[:, None], others[:, :3] + others[:, 3:6] / 2)
    shared = np.clip(high - low, 0, None).prod(2)
    union = boxes[:, 3:6].prod(1)[:, None] + others[:, 3:6].prod(1) - shared
    np.testing.assert_allclose(box_iou(boxes, others), shared / union, atol=1e-12)
    square = np.array([[0.0, 0, 0, 2, 2, 2, 0]])
    turned = square + [0, 0, 0, 0, 0, 0, np.pi / 4]
    # Two squares turned by 45 degrees share a regular octagon.
    octagon = 8 * (np.sqrt(2) - 1)
    assert box_iou(square, turned)[0, 0] == pytest.approx(octagon / (8 - octagon), abs=1e-12)
    # The same box; a box within it; one that only touches it; one without a volume.
    cases = [square, square * [1, 1, 1, 0.5, 0.5, 0.5, 1], square + [2.0, 0, 0, 0, 0, 0, 0], square * 0]
    assert box_iou(square, np.concatenate(cases)).round(12).tolist() == [[1, 0.125, 0, 0]]


def test_a_motion_of_all_boxes_changes_nothing():
    rng = np.random.default_rng(2)
    boxes, others = random_boxes(rng, 8, 1.5), random_boxes(rng, 9, 1.5)
    turn = np.array([[np.cos(1.1), np.sin(1.1)], [-np.sin(1.1), np.cos(1.1)]])

    def moved(rows):
        return np.concatenate([rows[:, :2] @ turn + 7, rows[:, 2:6], rows[:, 6:] + 1.1], axis=1)

    np.testing.assert_allclose(box_iou(moved(boxes), moved(others)), box_iou(boxes, others), atol=1e-12)
    half = others + [0, 0, 0, 0, 0, 0, np.pi]
    np.testing.assert_allclose(box_iou(boxes, half), box_iou(boxes, others), atol=1e-12)
    np.testing.assert_allclose(box_iou(others, boxes), box_iou(boxes, others).T, atol=1e-12)


# ------------------------------------------------------------------ average precision


def random_scenes(count=7, seed=0):
    """Predictions near true boxes, twice over and far from them; the last class has no true box, one scene neither."""
    rng, scenes = np.random.default_rng(seed), []
    for number in range(count):
        truth = random_boxes(rng, 0 if number == 3 else 6, 6.0)
        labels = rng.integers(-1, CLASSES - 1, len(truth))
        near = np.repeat(truth, 2, axis=0)
        near = near + rng.normal(scale=0.12, size=near.shape)
        predicted = np.concatenate([near, random_boxes(rng, 8, 6.0)])
        # Rounded, so that some candidates have one score.
        scores = rng.dirichlet(np.ones(CLASSES + 1), len(predicted))[:, :-1].round(1)
        fields = {'boxes': truth, 'box_labels': labels, 'predicted_boxes': predicted, 'box_scores': scores}
        scenes.append({'sample_id': f'scene_{number}', **fields})
    return scenes


def scored(scenes, classes=CLASSES):
    metric = DetectionAP(classes)
    metric.dataset_meta = {'classes': NAMES}
    metric.process(None, scenes)
    return metric.evaluate(len(scenes))


def slow_average_precision(scenes, label, threshold):
    """As the definition says: candidate by candidate, then the area by the recalls at which it changes."""
    candidates, taken, total = [], set(), 0
    for number, scene in enumerate(scenes):
        total += int((scene['box_labels'] == label).sum())
        for query, score in enumerate(scene['box_scores'][:, label]):
            candidates.append((-score, number, query))
    points, right = [], 0
    for place, (_, number, query) in enumerate(sorted(candidates), start=1):
        scene, best, which = scenes[number], 0.0, None
        for box, (truth, own) in enumerate(zip(scene['boxes'], scene['box_labels'])):
            if own == label:
                shared = float(box_iou(scene['predicted_boxes'][query][None], truth[None])[0, 0])
                if shared > best:
                    best, which = shared, (number, box)
        if best > threshold and which not in taken:
            taken.add(which)
            right += 1
        points.append((right / total, right / place))
    area, before = 0.0, 0.0
    for number, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[number:])
        before = recall
    return area, right / total


def test_scores_are_those_of_a_slow_loop():
    scenes = random_scenes()
    scores = scored(scenes)
    for threshold in (0.25, 0.5):
        slow = [slow_average_precision(scenes, label, threshold) for label in range(CLASSES - 1)]
        name = round(100 * threshold)
        assert scores[f'detection/ap{name}'] == pytest.approx(np.mean([area for area, _ in slow]), abs=1e-9)
        assert scores[f'detection/ar{name}'] == pytest.approx(np.mean([recall for _, recall in slow]), abs=1e-9)
        for label, (area, _) in zip(NAMES, slow):
            assert scores[f'detection/ap{name}/{label}'] == pytest.approx(area, abs=1e-9)
    assert 0.05 < scores['detection/ap50'] < scores['detection/ap25'] < 0.95
    assert not [name for name in scores if 'piano' in name]


def test_by_hand():
    """Two boxes; found, found again, wrong, found: precision 1 up to a recall of 1/2, then 1/2."""
    iou = np.array([[0.9, 0.0], [0.8, 0.1], [0.0, 0.2], [0.0, 0.6]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert average_precision([iou], [scores], 0.25) == (0.75, 1.0)
    assert average_precision([iou], [scores], 0.6) == (0.5, 0.5)
    # A second box that is meant by the second candidate, but taken, is not found by the one that is next to it.
    assert average_precision([iou[:2]], [scores[:2]], 0.05) == (0.5, 0.5)
    assert np.isnan(average_precision([np.zeros((3, 0))], [scores[:3]], 0.5)).all()


def test_true_boxes_as_predictions_score_one():
    scenes = random_scenes()
    for scene in scenes:
        scene['box_labels'] = np.maximum(scene['box_labels'], 0)
        scene['predicted_boxes'], scene['box_scores'] = scene['boxes'], np.eye(CLASSES)[scene['box_labels']]
    perfect = scored(scenes)
    assert perfect['detection/ap25'] == perfect['detection/ap50'] == perfect['detection/ar50'] == 1


def test_the_order_of_scenes_and_the_number_of_ranks_do_not_matter(monkeypatch):
    scenes = random_scenes(seed=3)
    alone = scored(scenes)
    assert scored(scenes[::-1]) == alone
    metric = DetectionAP(CLASSES)
    metric.dataset_meta = {'classes': NAMES}
    rows = [(metric.key(scene), metric.row(scene)) for scene in scenes]
    # Two ranks, one of which has four scenes, the other four: one of the first rank's again.
    monkeypatch.setattr('mmpt.evaluation.metrics.base.all_gather_object', lambda own: [rows[3:], rows[:3] + rows[-1:]])
    assert metric.evaluate(8) == alone


def test_bad_rows_are_named():
    scenes = random_scenes()
    with pytest.raises(ValueError, match='sample scene_2: needs the field `box_scores`, but it has none'):
        scored([{**scene, **({'box_scores': None} if scene is scenes[2] else {})} for scene in scenes])
    with pytest.raises(ValueError, match=r'sample scene_0: expected scores \(20, 5\), got \(20, 4\)'):
        scored(scenes, classes=5)
    scenes[1]['box_labels'][0] = CLASSES
    with pytest.raises(ValueError, match='sample scene_1: expected box labels 0 to 3, or -1 for unknown, got 4'):
        scored(scenes)
    scenes[1]['predicted_boxes'][0, 0] = np.nan
    scenes[1]['box_labels'][0] = 0
    with pytest.raises(ValueError, match='sample scene_1: expected finite boxes and scores'):
        scored(scenes)
    with pytest.raises(ValueError, match='none of 1 samples has a box of a known class'):
        scored([scenes[3]])
