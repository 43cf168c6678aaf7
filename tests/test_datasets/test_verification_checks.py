"""What verification concludes from counts, labels, features, scale and axis of data sets that are wrong in one way."""

import numpy as np
import pytest
from _verification import Shapes, cloud, report_of, room, told

from mmpt.datasets.transforms import UnitSphere
from mmpt.datasets.verification import NO_LABEL, Part, check_labels, layers, objects_stand, scenes_stand, verify_part

# Up


def furniture(kind, seed, num=400):
    """A table, a chair or a lump, y up, of random proportions."""
    rng = np.random.default_rng(seed)
    u, v, w = rng.random((3, num))
    width, depth, height = rng.uniform(1, 1.6), rng.uniform(0.8, 1.2), rng.uniform(0.6, 0.9)
    if kind == 'table':
        board = rng.random(num) < 0.7
        corner = rng.integers(0, 2, (2, num))
        x, z = np.where(board, u, corner[0] * 0.95), np.where(board, v, corner[1] * 0.95)
        return np.stack([x * width, np.where(board, height, w * height), z * depth], axis=1).astype(np.float32)
    if kind == 'chair':
        return (np.stack([u, v * 2, w], axis=1) * [0.8, 1, 0.7]).astype(np.float32)
    return rng.normal(size=(num, 3)).astype(np.float32)


def standing(samples, classes, turn=lambda points: points):
    clouds = [turn(points) for points, _ in samples]
    shares, places = map(np.array, zip(*[layers(points) for points in clouds]))
    extents = np.array([np.ptp(points, axis=0) for points in clouds])
    return objects_stand(classes, np.array([label for _, label in samples]), extents, shares, places)


CLASSES = ('coffee table', 'lump', 'chair')
ROOM = [(furniture(kind, seed), label) for label, kind in enumerate(('table', 'lump', 'chair')) for seed in range(30)]


def test_a_layer_is_where_it_is():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1, (1000, 3)) * [1, 2, 1]
    points[:400, 1] = 1.5
    shares, places = layers(points)
    assert shares[1] == pytest.approx(0.4 + 0.6 * 0.05, abs=0.03) and shares.argmax() == 1
    assert places[1] == pytest.approx(0.75, abs=0.03)
    flat = layers(np.c_[points[:, :2], np.zeros(1000)])
    assert flat[0][2] == 1 and np.isnan(flat[1][2])


@pytest.mark.parametrize(
    ('turn', 'axis', 'upside_down'),
    [
        (lambda p: p, 'y', False),
        (lambda p: np.stack([p[:, 0], -p[:, 2], p[:, 1]], axis=1), 'z', False),
        (lambda p: p[:, [1, 2, 0]], 'x', False),
        (lambda p: p * [1, -1, -1], 'y', True),
    ],
)
def test_tables_and_chairs_show_which_axis_is_up(turn, axis, upside_down):
    found = standing(ROOM, CLASSES, turn)
    assert (found.axis, found.upside_down) == (axis, upside_down)
    assert ('table' in found.evidence) and 'lump' not in found.evidence


def test_weak_evidence_is_no_evidence():
    """Classes that are not known to stand, too few shapes, or classes that contradict each other."""
    assert standing(ROOM, ('lump', 'thing', 'object')).axis is None
    assert standing(ROOM[:4], CLASSES).axis is None
    assert standing(ROOM[60:75], CLASSES).axis is None  # one class alone, of 15
    assert standing(ROOM[60:], CLASSES).axis == 'y'  # of 30
    mixed = [(points if label else points[:, [0, 2, 1]], label) for points, label in ROOM]
    found = standing(mixed, CLASSES)
    assert found.axis is None and 'disagree' in found.evidence


def test_rooms_show_which_axis_is_up():
    for order, axis in (([0, 1, 2], 'z'), ([0, 2, 1], 'y')):
        rooms = [room(seed)[:, order] for seed in range(8)]
        shares = np.array([layers(points)[0] for points in rooms])
        extents = np.array([np.ptp(points, axis=0) for points in rooms])
        assert scenes_stand(extents, shares).axis == axis
        assert scenes_stand(extents[:4], shares[:4]).axis is None


def test_the_stated_axis_is_compared_with_the_shapes():
    samples = [{'points': points, 'label': label} for points, label in ROOM]
    assert told(report_of(samples, up_axis='y', classes=CLASSES), 'axis') == []
    turned = [{'points': points[:, [2, 0, 1]], 'label': label} for points, label in ROOM]
    ((level, text),) = told(report_of(turned, up_axis='y', classes=CLASSES), 'axis')
    assert level == 'warning' and "says up_axis='y', but it has z up" in text
    lying = [{'points': room(seed)[:, [0, 2, 1]]} for seed in range(6)]
    ((_, text),) = told(report_of(lying, up_axis='z'), 'axis')
    assert "says up_axis='z', but it has y up" in text


# Counts, labels, features, scale


def test_counts_against_those_that_the_class_states():
    samples = [{'points': cloud(seed)} for seed in range(3)]
    ((level, text),) = told(report_of(samples, variant='two'), 'counts')
    assert level == 'problem' and 'has 3 shapes, published are 2' in text
    assert told(report_of(samples[:2], variant='two'), 'counts') == []
    assert told(report_of(samples), 'counts') == []


def test_labels_out_of_range_and_classes_without_a_shape():
    samples = [{'points': cloud(seed), 'label': label} for seed, label in enumerate((0, 0, 3, 2, -1))]
    report = report_of(samples, classes=('a', 'b', 'c'))
    (problem, empty) = told(report, 'labels')
    assert (
        problem[0] == 'problem' and '2 labels are outside of 0 to 2' in problem[1] and "'s2' has label 3" in problem[1]
    )
    assert empty == ('warning', '1 of 3 classes have no shape in this split: b.')
    assert report.as_dict()['classes'] == {'a': 2, 'b': 0, 'c': 1}
    few = [{'points': cloud(), 'label': 0}, {'points': cloud(1)}]
    assert told(report_of(few, classes=('a',)), 'labels') == [
        ('note', "1 of 2 samples have no label, the first is sample 's1'.")
    ]
    assert check_labels(Shapes([], classes=('a',)), np.array([NO_LABEL]), [0]) == []


def test_samples_that_carry_other_features_than_the_rest():
    normals = np.tile(np.float32([0, 0, 1]), (200, 1))
    samples = [{'points': cloud(seed), 'normals': normals} for seed in range(4)]
    assert told(report_of(samples), 'features') == []
    ((level, text),) = told(report_of([*samples, {'points': cloud(8)}]), 'features')
    assert (
        level == 'problem'
        and "1 of 5 samples carry other features than the rest (normals): sample 's4' has none" in text
    )
    bent = [*samples[:3], {'points': cloud(9), 'normals': np.concatenate([normals[:100], normals[100:] * 2])}]
    ((level, text),) = told(report_of(bent), 'features')
    assert level == 'warning' and '1 of 4 samples are not of length 1' in text and "'s3' (50% of its points)" in text


@pytest.mark.parametrize(
    ('colors', 'said'),
    [
        (np.full((200, 3), 0.5, np.float32), '2 of type float32'),
        (np.ones((200, 3), np.uint8), 'no colour is brighter than 1 of 255'),
        (np.full((200, 3), 200, np.uint8), None),
    ],
)
def test_colours_are_bytes(colors, said):
    found = told(report_of([{'points': cloud(seed), 'colors': colors} for seed in range(2)]), 'features')
    assert found == [] if said is None else (found[0][0] == 'problem' and said in found[0][1])


def test_classes_of_points():
    labels = np.zeros(200, np.int64)
    labels[:50] = -1
    good = report_of([{'points': room(0, 200), 'semantic': labels}], up_axis='z', classes=('wall', 'floor'))
    assert told(good, 'labels') == [('warning', '1 classes have no point in what was read of this split: floor.')]
    assert good.as_dict()['class_points'] == {'wall': 150, 'floor': 0}
    labels[:3] = 2
    labels[3] = -7
    bad = report_of([{'points': room(0, 200), 'semantic': labels}], up_axis='z', classes=('wall', 'floor'))
    assert told(bad, 'labels')[0] == (
        'problem',
        '4 points in 1 scenes have a class outside of 0 to 1 (-1 is none).',
    )


@pytest.mark.parametrize(('factor', 'guess'), [(1, None), (1000, 'millimetres'), (1e-3, 'kilometres')])
def test_scenes_that_are_not_in_metres(factor, guess):
    found = told(report_of([{'points': room(seed) * np.float32(factor)} for seed in range(3)], up_axis='z'), 'scale')
    assert found == [] if guess is None else (found[0][0] == 'warning' and f'would be {guess}' in found[0][1])


def test_a_unit_sphere_that_is_none():
    inside = [UnitSphere()({'points': cloud(seed), 'sample_id': 's'})['points'] for seed in range(10)]
    good = [{'points': points} for points in inside]
    assert told(report_of(good, normalize='unit_sphere'), 'scale') == []
    moved = [{'points': points + np.float32(0.5)} for points in inside]
    ((level, text),) = told(report_of(moved, normalize='unit_sphere'), 'scale')
    assert level == 'problem' and "normalize='unit_sphere', but 10 of 10" in text and '0.866 from the origin' in text
    assert told(report_of(moved), 'scale') == []


def test_clouds_of_another_size_than_the_rest():
    samples = [{'points': cloud(seed)} for seed in range(9)]
    samples.append({'points': cloud(9, scale=100)})
    samples.append({'points': np.ones((5, 3), np.float32)})
    found = told(report_of(samples), 'scale')
    assert [level for level, _ in found] == ['problem', 'warning']
    assert "'s10' has all its points in one place" in found[0][1] and "sample 's9' of " in found[1][1]


def test_clouds_that_are_shorter_than_nearly_all_others():
    samples = [{'points': cloud(seed)} for seed in range(39)]
    ((level, text),) = told(report_of([*samples, {'points': cloud(39, num=88)}]), 'damaged')
    assert level == 'warning' and "1 of 40 clouds have fewer points than the rest, 200: sample 's39' of 88;" in text
    assert told(report_of(samples), 'damaged') == []
    free = [{'points': cloud(seed, num=100 + seed)} for seed in range(40)]
    assert told(report_of(free), 'damaged') == [], 'where sizes differ anyway, none is odd'


def test_a_pipeline_that_takes_no_sample():
    def refuse(results):
        raise ValueError(f'fewer points than asked in {results["sample_id"]}')

    ((level, text),) = told(report_of([{'points': cloud()}], pipeline=[refuse]), 'pipeline')
    assert (
        level == 'problem' and 'train_dataloader.dataset does not take a sample: fewer points than asked in s0' in text
    )


def test_meshes_and_completion_pairs_are_measured():
    vertices = np.array([[x, y, z] for x in (0, 2) for y in (0, 1) for z in (0, 1)], np.float32)
    faces = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]])
    mesh = {'vertices': vertices, 'faces': faces}
    pair = {'partials': [cloud(1), cloud(2)], 'complete': cloud(3)}
    about = report_of([mesh]).as_dict()
    assert about['points'] == [8, 8, 8] and about['extent']['x'][0] == pytest.approx(2, abs=0.02)
    assert report_of([pair]).as_dict()['features'] == {'complete, partials': 1}
    broken = {'partials': [cloud(1), np.zeros((0, 3), np.float32)], 'complete': cloud(3)}
    (empty, corner) = told(report_of([broken, {'vertices': vertices, 'faces': faces + 4}]), 'damaged')
    assert empty[0] == 'problem' and "'s0, partial cloud 1', got an empty cloud" in empty[1]
    assert 'faces of vertices 0 to 7' in corner[1] and "'s1'" in corner[1]


def test_some_are_read_and_all_are_counted():
    samples = [{'points': cloud(seed), 'label': seed % 2} for seed in range(40)]
    dataset = Shapes(samples, classes=('a', 'b'))
    report = verify_part(Part(('x',), dataset), most=7)
    assert (report.shapes, report.table.read) == (40, 7)
    assert report.table['index'].tolist() == [0, 6, 13, 19, 26, 32, 39]
    assert report.as_dict()['classes'] == {'a': 20, 'b': 20}
