"""What verification takes for the same cloud, and for the same shape."""

import os
from pathlib import Path

import numpy as np
import pytest
from _verification import Shapes, cloud, shuffled, told

from mmpt.datasets import NpzShapes
from mmpt.datasets.transforms import UnitSphere
from mmpt.datasets.verification import Part, check_duplicates, fingerprint, group_clouds, moments, verify_part

DATA = Path(os.environ.get('MMPT_DATA', '')) / 'modelnet10_vox.npz'


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
