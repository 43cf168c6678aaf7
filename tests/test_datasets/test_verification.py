"""What verification measures and what it concludes, on data sets that are wrong in one known way."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpt.datasets import NpzShapes, PointCloudDataset
from mmpt.datasets.transforms import UnitSphere
from mmpt.datasets.verification import (
    NO_LABEL,
    Part,
    check_duplicates,
    check_labels,
    fingerprint,
    group_clouds,
    layers,
    moments,
    objects_stand,
    scenes_stand,
    verify_part,
)

DATA = Path(os.environ.get('MMPT_DATA', '')) / 'modelnet10_vox.npz'


class Shapes(PointCloudDataset):
    """Samples out of a list."""

    EXPECTED_COUNTS = {('two', 'train'): 2}

    def __init__(self, samples, pipeline=(), **metainfo):
        self.samples = samples
        super().__init__(pipeline, metainfo={'variant': 'mine', 'split': 'train', **metainfo})

    def num_shapes(self):
        return len(self.samples)

    def label(self, index):
        return self.samples[index].get('label')

    def load_info(self, index):
        return {'sample_id': f's{index}', 'split': 'train', **self.samples[index]}


def cloud(seed=0, num=200, scale=1.0):
    return (np.random.default_rng(seed).normal(size=(num, 3)) * scale).astype(np.float32)


def report_of(samples, pipeline=(), **metainfo):
    dataset = Shapes(samples, **metainfo)
    return verify_part(Part(('train_dataloader.dataset',), dataset, pipeline))


def told(report, kind):
    """Level and text of the findings of a kind."""
    return [(finding.level, finding.text) for finding in report.findings if finding.kind == kind]


def shuffled(points, seed=9):
    return points[np.random.default_rng(seed).permutation(len(points))]


# Fingerprints


def test_a_fingerprint_is_of_the_points_and_not_of_their_order():
    points = cloud()
    assert fingerprint(points) == fingerprint(shuffled(points))
    other = points.copy()
    other[7, 2] = np.nextafter(other[7, 2], np.float32(9))
    assert fingerprint(other) != fingerprint(points)
    # The same numbers, but in other points.
    swapped = points.copy()
    swapped[[0, 1], 0] = swapped[[1, 0], 0]
    assert fingerprint(swapped) != fingerprint(points) != fingerprint(points[:, [1, 0, 2]])
    zeros = np.zeros((3, 3), np.float32)
    assert fingerprint(zeros) == fingerprint(-zeros) and fingerprint(zeros) != fingerprint(zeros[:2])


def test_moments_stay_under_shift_scale_and_order_and_are_those_of_the_definition():
    points = cloud(num=300)
    moved = shuffled(points).astype(np.float64) * 7 + [100, -3, 5]
    np.testing.assert_allclose(moments(moved)[0], moments(points)[0], atol=1e-10)
    assert np.linalg.norm(moments(cloud(1, 300))[0] - moments(points)[0]) > 0.05
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    x, y, z = (centred / np.sqrt((centred**2).sum(axis=1).mean())).T
    exponents = [(i, j, k) for i in range(5) for j in range(5) for k in range(5) if 2 <= i + j + k <= 4]
    expected = [(x**i * y**j * z**k).mean() for i, j, k in exponents if (i, j, k) != (0, 0, 2)]
    np.testing.assert_allclose(np.sort(moments(points)[0]), np.sort(expected), atol=1e-12)
    assert np.isnan(moments(np.ones((5, 3)))[0]).all()


def test_moments_of_a_large_cloud_are_summed_up_in_pieces():
    points = cloud(num=70_000)
    whole, spread = moments(points)
    np.testing.assert_allclose(whole, moments(np.concatenate([points[40_000:], points[:40_000]]))[0], atol=1e-12)
    np.testing.assert_allclose(whole, moments(points[:65_536])[0], atol=0.05)
    assert np.isfinite(spread).all()


def test_the_spread_is_the_covariance_of_moments_of_other_samples():
    rng = np.random.default_rng(0)
    shear = [[1, 0.3, 0], [0, 1, 0.2], [0, 0, 1]]
    described, spreads = map(np.array, zip(*[moments(rng.random((400, 3)) ** 2 @ shear) for _ in range(3000)]))
    upper = np.triu_indices(30)
    matrix = np.zeros((30, 30))
    matrix[upper] = matrix.T[upper] = spreads.mean(axis=0) / 400
    seen = np.cov(described.T)
    np.testing.assert_allclose(np.diag(matrix), np.diag(seen), rtol=0.15)
    # As a whole: samples are 30 degrees of freedom away from their mean.
    away = described - described.mean(axis=0)
    squared = np.einsum('ni,ni->n', away, np.linalg.solve(matrix, away.T).T)
    assert squared.mean() == pytest.approx(30, rel=0.1)


def test_groups_of_equal_clouds():
    one, two = cloud(1), cloud(2)
    half = (UnitSphere()({'points': shuffled(one), 'sample_id': 'x'})['points'].astype(np.float16)).astype(np.float32)
    clouds = [one, two, shuffled(one), cloud(3), half, shuffled(two), np.ones((4, 3)), np.ones((4, 3)), cloud(4)]
    prints = np.array([fingerprint(points) for points in clouds], np.uint64)
    groups = group_clouds(prints, np.array([moments(points)[0] for points in clouds]))
    assert [(group.members.tolist(), group.exact) for group in groups] == [
        ([0, 2, 4], False),
        ([1, 5], True),
        ([6, 7], True),
    ]
    assert group_clouds(prints[:0], np.zeros((0, 30))) == []


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


def room(seed, num=2000):
    """A room with furniture, z up, metres."""
    rng = np.random.default_rng(seed)
    size = rng.uniform((4, 3.5, 2.4), (9, 6, 3))
    points = rng.random((num, 3)) * size
    points[: num // 3, 2] = 0
    points[num // 3 : num // 2, 0] = 0
    return points.astype(np.float32)


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


# Duplicates


def npz(path, train, test, ids=None):
    arrays = {'class_names': np.array(['a'])}
    for split, clouds in (('train', train), ('test', test)):
        arrays[f'points_{split}'] = np.stack(clouds)
        arrays[f'labels_{split}'] = np.zeros(len(clouds), int)
    np.savez(path, **arrays)
    return str(path)


def duplicates(parts):
    reports = [verify_part(part) for part in parts]
    return check_duplicates([report.part for report in reports], [report.table for report in reports])


def test_duplicates_within_and_between_splits(tmp_path):
    a, b, c, d = (cloud(seed) for seed in range(4))
    smaller = UnitSphere()({'points': shuffled(b), 'sample_id': 'b'})['points']
    path = npz(tmp_path / 'all.npz', [a, b, c, shuffled(a)], [shuffled(a, 1), smaller, d])
    parts = [
        Part((f'val_dataloader.dataset.datasets.{k}',), NpzShapes(path, split))
        for k, split in enumerate(('train', 'test'))
    ]
    findings, pairs = duplicates(parts)
    assert [(finding.level, finding.text) for finding in findings] == [
        (
            'warning',
            '1 shapes of val 0 (train) occur in it before, 1 of them number for number: '
            "sample 'train/3' is sample 'train/0'.",
        ),
        (
            'problem',
            '2 shapes of val 1 (test) are also in val 0 (train), 1 of them number for number: '
            "sample 'test/0' is sample 'train/0', sample 'test/1' is sample 'train/1'.",
        ),
    ]
    assert pairs['val 0 (train) / val 1 (test)'] == [
        ["sample 'train/0'", "sample 'test/0'"],
        ["sample 'train/1'", "sample 'test/1'"],
    ]
    assert duplicates([Part(('x',), NpzShapes(npz(tmp_path / 'b.npz', [a, b], [c, d]), 'train'))]) == ([], {})


def surface(seed, num=4096, draw=0):
    """Points on a box of random size with a random slab on top."""
    size, top = np.random.default_rng(seed).uniform(0.2, 1, (2, 3))
    rng = np.random.default_rng([seed, draw])
    points = rng.random((num, 3))
    side = rng.integers(0, 3, num)
    points[np.arange(num), side] = rng.integers(0, 2, num)
    upper = rng.random(num) < 0.4
    return np.where(upper[:, None], points * top + [0, size[1], 0], points * size).astype(np.float32)


def test_shapes_with_other_points_drawn_on_them():
    train = [{'points': surface(seed)} for seed in range(60)]
    again = [{'points': surface(seed, draw=1, num=3000) * np.float32(2)} for seed in (3, 17, 40)]
    test = [*again, *({'points': surface(seed)} for seed in range(100, 120)), {'points': train[9]['points']}]
    parts = [Part(('a',), Shapes(train)), Part(('b',), Shapes(test, split='test'))]
    findings, pairs = duplicates(parts)
    assert [finding.level for finding in findings] == ['problem', 'warning']
    assert findings[1].text.startswith(
        '3 shapes of b (test) may be shapes of a (train) with other points, or nearly so: '
    )
    assert pairs == {
        'a (train) / b (test)': [["sample 's9'", "sample 's23'"]],
        'a (train) / b (test), other points': [
            [f"sample 's{a}'", f"sample 's{b}'"] for a, b in ((3, 0), (17, 1), (40, 2))
        ],
    }
    same = [Part(('a',), Shapes(train)), Part(('b',), Shapes(again))]
    assert duplicates(same) == ([], {}), 'only between different splits'
    few = [Part(('a',), Shapes(train)), Part(('b',), Shapes([{'points': surface(3, 2000, 1)}], split='test'))]
    assert duplicates(few) == ([], {}), 'too few points to tell'


def test_a_data_set_used_twice_has_samples_and_not_duplicates_in_common():
    points = [{'points': cloud(seed)} for seed in range(3)]
    parts = [Part(('a',), Shapes(points)), Part(('b',), Shapes(points[:2], split='test'))]
    findings, _ = duplicates(parts)
    ((level, text),) = [(finding.level, finding.text) for finding in findings]
    assert level == 'warning' and text.startswith('2 samples of b (test) are samples of a (train) as well: sample ')


@pytest.mark.skipif(not DATA.is_file(), reason='MMPT_DATA does not name a folder with modelnet10_vox.npz')
def test_the_voxel_shapes_of_modelnet10():
    """z is up in the file; 71 test grids also occur in the training part, but their clouds were drawn separately."""
    turned, lying = (verify_part(Part(('x',), NpzShapes(str(DATA), 'test', axis))) for axis in 'zy')
    assert turned.standing.axis == 'y' and told(turned, 'axis') == [] and turned.shapes == 907
    assert lying.standing.axis == 'z' and 'has z up' in told(lying, 'axis')[0][1]
    train = verify_part(Part(('y',), NpzShapes(str(DATA), 'train', 'z')))
    findings, _ = check_duplicates([train.part, turned.part], [train.table, turned.table])
    assert findings == []
