"""Transforms of scenes, on clouds small enough to work out by hand or checked against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest

from mmpt.datasets.transforms import (
    CentreFloor,
    ContrastPointColors,
    CropBlock,
    CropSphere,
    DropPointColors,
    FlipXY,
    GridSample,
    JitterPointColors,
    PackInputs,
    RandomSample,
    ShiftPointColors,
)


def scene(count=5000, seed=0, size=(4.0, 3.0, 2.5)):
    """A cloud whose labels are its rows, so that every check can tell which points were kept."""
    rng = np.random.default_rng(seed)
    points = (rng.random((count, 3)) * size).astype(np.float32)
    return {
        'sample_id': 'room',
        'points': points,
        'normals': np.eye(3, dtype=np.float32)[rng.integers(3, size=count)],
        'colors': rng.integers(0, 256, (count, 3)).astype(np.uint8),
        'semantic': np.arange(count) % 13,
        'instance': np.arange(count),
        'rng': np.random.default_rng(seed + 1),
    }


def check_rows(before, after):
    """Every array still belongs to the point it belonged to."""
    rows = after['instance']
    for key in ('normals', 'colors', 'semantic'):
        np.testing.assert_array_equal(after[key], before[key][rows])
    return rows


@pytest.mark.parametrize('random', [True, False])
def test_grid_sample_keeps_one_point_of_every_voxel(random):
    before = scene()
    before['points'] -= 1.5  # voxels on both sides of the origin
    after = GridSample(0.25, random=random, inverse=True)(dict(before))
    rows = check_rows(before, after)
    np.testing.assert_array_equal(after['points'], before['points'][rows])
    assert (np.diff(rows) > 0).all()  # the order of the file
    cells = [tuple(cell) for cell in np.floor(before['points'].astype(np.float64) / 0.25).astype(int)]
    assert len(rows) == len(set(cells)) == len({cells[row] for row in rows})
    # The inverse leads each point to the one that stands for its voxel, and the labels of all points are there.
    assert [cells[row] for row in rows[after['inverse']]] == cells
    np.testing.assert_array_equal(after['scene_semantic'], before['semantic'])
    if not random:
        first = {}
        for row, cell in enumerate(cells):
            first.setdefault(cell, row)
        assert set(rows) == set(first.values())


def test_grid_sample_draws_evenly_within_a_voxel_and_from_its_rng_alone():
    points = np.array([[0.1, 0.1, 0.1]] * 4 + [[5.1, 0.1, 0.1]], np.float32)
    points[:, 1] += np.arange(5) * 0.01
    counts = np.zeros(5)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        out = GridSample(1.0)({'points': points, 'instance': np.arange(5), 'rng': rng})
        counts[out['instance']] += 1
    assert counts[4] == 2000 and counts[:4].sum() == 2000
    assert abs(counts[:4] - 500).max() < 100  # 5 standard deviations
    picks = [GridSample(0.3)(scene(seed=3))['instance'] for _ in range(2)]
    np.testing.assert_array_equal(*picks)


def test_grid_sample_does_not_depend_on_what_else_is_in_the_cloud():
    whole = scene()
    part = {key: value[2000:] if isinstance(value, np.ndarray) else value for key, value in whole.items()}
    left = GridSample(0.2, random=False)({**whole, 'points': whole['points']})
    right = GridSample(0.2, random=False)(dict(part))
    # A voxel whose first point is in the part has the same one in both.
    shared = left['instance'][left['instance'] >= 2000]
    assert len(shared) > 100 and set(shared) <= set(right['instance'])


def test_grid_sample_sorts_numbers_of_any_length_as_numpy_does():
    # Voxel numbers of more than 16 and more than 32 bits.
    points = (np.random.default_rng(0).random((3000, 3)) * [50, 40, 30]).astype(np.float32)
    points[1000:2000] = points[:1000] + 1e-4
    for size in (1.0, 0.01, 0.0005):
        out = GridSample(size, random=False)({'points': points, 'instance': np.arange(3000)})
        cells = np.floor(points.astype(np.float64) / size).astype(int)
        _, first = np.unique(cells, axis=0, return_index=True)
        np.testing.assert_array_equal(out['instance'], np.sort(first))


def test_grid_sample_refuses_what_it_cannot_number():
    with pytest.raises(ValueError, match='positive'):
        GridSample(0)
    far = {'sample_id': 'broken', 'points': np.array([[0, 0, 0], [3e6, 3e6, 3e6]], np.float32)}
    with pytest.raises(ValueError, match=r"'broken'.*3e\+06 x 3e\+06 x 3e\+06 m"):
        GridSample(0.001, random=False)(far)


def test_what_chooses_points_behind_an_inverse_is_refused():
    after = GridSample(0.25, inverse=True)(scene())
    for step in (CropBlock(), CropSphere(10), GridSample(0.5), RandomSample(10)):
        with pytest.raises(ValueError, match=r"'room' has an inverse already.*GridSample"):
            step(dict(after))


def test_crop_block_cuts_a_column_and_centres_it():
    before = scene()
    before['boxes'] = np.array([[1, 1, 1, 0.2, 0.2, 0.2, 0], [3.9, 2.9, 1, 0.2, 0.2, 0.2, 0]], np.float32)
    before['box_labels'] = np.array([4, 7])
    after = CropBlock(1.0, min_points=100)(dict(before))
    rows = check_rows(before, after)
    moved = before['points'][rows] - after['points']
    centre = moved[0]
    np.testing.assert_allclose(moved, np.tile(centre, (len(rows), 1)), atol=1e-5)
    assert centre[2] == 0  # the height stays
    assert np.abs(before['points'][:, :2] - centre[:2]).max(axis=1).min() < 1e-5  # around one of the points
    inside = (np.abs(before['points'][:, :2] - centre[:2]) <= 0.5 - 1e-5).all(axis=1)
    assert set(np.flatnonzero(inside)) <= set(rows)
    assert np.abs(after['points'][:, :2]).max() <= 0.5 + 1e-5
    kept = (np.abs(before['boxes'][:, :2] - centre[:2]) <= 0.5).all(axis=1)
    np.testing.assert_array_equal(after['box_labels'], before['box_labels'][kept])
    np.testing.assert_allclose(after['boxes'][:, :2], before['boxes'][kept, :2] - centre[:2], atol=1e-5)


def test_crop_block_draws_again_where_there_is_too_little():
    # 50 points far away beside 5,000 in one place: a block of theirs is too thin.
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((5000, 3)) * 0.5, rng.random((5000, 3)) * 80 + 10]).astype(np.float32)
    for seed in range(20):
        out = CropBlock(1.0, min_points=1024)({'points': points, 'rng': np.random.default_rng(seed)})
        assert len(out['points']) > 1024
    # Where no block has enough, the fullest of those drawn is taken instead of none.
    thin = CropBlock(1.0, min_points=10**6, tries=64)({'points': points, 'rng': np.random.default_rng(0)})
    assert len(thin['points']) > 4000


def test_crop_block_gives_the_number_of_points_that_is_asked_for():
    before = scene()
    few = CropBlock(1.0, num_points=2048, min_points=10)(dict(before))
    assert len(few['points']) == 2048 and len(set(few['instance'])) < 1000  # some of them several times
    check_rows(before, few)
    many = CropBlock(1.0, num_points=50, min_points=100)(dict(before))
    assert len(set(many['instance'])) == 50  # none twice
    for count in (50, 2048):
        out = [CropBlock(1.0, num_points=count, random=False)(dict(before)) for _ in range(2)]
        np.testing.assert_array_equal(out[0]['instance'], out[1]['instance'])
        assert len(out[0]['instance']) == count
        assert np.abs(before['points'][out[0]['instance'], :2] - [2, 1.5]).max() < 0.6  # in the middle of the room


def test_crop_sphere_keeps_the_nearest():
    before = scene()
    before['boxes'] = np.array([[2, 1.5, 1.25, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1, 0]], np.float32)
    before['box_labels'] = np.array([4, 7])
    after = CropSphere(300, random=False)(dict(before))
    rows = check_rows(before, after)
    np.testing.assert_array_equal(after['points'], before['points'][rows])
    middle = before['points'][((before['points'] - [2, 1.5, 1.25]) ** 2).sum(1).argmin()]
    distance = ((before['points'].astype(np.float64) - middle) ** 2).sum(axis=1)
    np.testing.assert_array_equal(rows, np.sort(np.argsort(distance)[:300]))
    assert after['box_labels'].tolist() == [4] and len(after['boxes']) == 1
    drawn = {CropSphere(1)({**before, 'rng': np.random.default_rng(k)})['instance'][0] for k in range(20)}
    assert len(drawn) > 15
    assert len(CropSphere(5000)(dict(before))['points']) == 5000


def test_centre_floor():
    before = scene()
    before['boxes'] = np.array([[1, 1, 1, 0.2, 0.3, 0.4, 0.5]], np.float32)
    before['points'][:, 2] -= 7
    after = CentreFloor()(dict(before))
    low, high = after['points'].min(axis=0), after['points'].max(axis=0)
    np.testing.assert_allclose(low[:2], -high[:2], atol=1e-5)
    assert abs(low[2]) < 1e-5
    move = after['points'][0] - before['points'][0]
    np.testing.assert_allclose(after['boxes'][0], [*(1 + move), 0.2, 0.3, 0.4, 0.5], atol=1e-5)
    np.testing.assert_array_equal(after['normals'], before['normals'])


def corners(box):
    """Two points that say where a box is and where its front is."""
    x, y, z, length, _, height, yaw = box
    front = np.array([np.cos(yaw), np.sin(yaw), 0]) * length / 2
    return np.array([x, y, z]) + front, np.array([x, y, z + height / 2])


def test_flip_moves_points_normals_boxes_and_projections_together():
    before = scene(count=200)
    before['boxes'] = np.array([[1, 0.5, 1, 2, 0.5, 0.4, 0.3], [2, -1, 0, 1, 1, 1, -2.5]], np.float32)
    before['projections'] = np.random.default_rng(5).standard_normal((2, 3, 4))
    seen = set()
    for seed in range(12):
        after = FlipXY()({**before, 'rng': np.random.default_rng(seed)})
        with np.errstate(divide='ignore', invalid='ignore'):
            sign = np.sign(after['points'][0] / before['points'][0])
        seen.add(tuple(sign))
        assert sign[2] == 1
        np.testing.assert_allclose(after['points'], before['points'] * sign, atol=1e-6)
        np.testing.assert_allclose(after['normals'], before['normals'] * sign, atol=1e-6)
        for old, new in zip(before['boxes'], after['boxes']):
            np.testing.assert_allclose(corners(new), corners(old) * sign, atol=1e-5)
            np.testing.assert_array_equal(new[3:6], old[3:6])
        for old, new in zip(before['projections'], after['projections']):
            ones = np.ones((200, 1))
            pixels = np.concatenate([before['points'], ones], 1) @ old.T
            np.testing.assert_allclose(np.concatenate([after['points'], ones], 1) @ new.T, pixels, atol=1e-5)
    assert len(seen) == 4  # neither, each, both
    assert FlipXY(0.0)(dict(before))['points'] is before['points']


def test_a_crop_moves_the_projections_too():
    before = scene()
    before['projections'] = np.random.default_rng(5).standard_normal((1, 3, 4))
    after = CropBlock(1.0, min_points=100)(dict(before))
    homogeneous = [np.c_[cloud['points'], np.ones(len(cloud['points']))] for cloud in (before, after)]
    pixels = homogeneous[0][after['instance']] @ before['projections'][0].T
    np.testing.assert_allclose(homogeneous[1] @ after['projections'][0].T, pixels, atol=1e-5)


def test_colours_stay_bytes_and_change_as_said():
    before = scene()
    before['colors'] = (before['colors'] // 4 + 50).astype(np.uint8)  # 50 to 113
    before['colors'][:, 2] = 77  # a channel without any contrast
    shifted = ShiftPointColors(probability=1.0, ratio=0.05)(dict(before))['colors'].astype(int)
    change = shifted - before['colors']
    assert (change == change[0]).all() and 0 < np.abs(change).max() <= 13
    jittered = JitterPointColors(probability=1.0, sigma=0.05)(dict(before))['colors'].astype(int)
    assert (jittered - before['colors']).std() == pytest.approx(0.05 * 255, rel=0.05)
    draws = [{**before, 'rng': np.random.default_rng(seed)} for seed in range(10)]
    spans = [np.ptp(ContrastPointColors(probability=1.0)(draw)['colors'][:, 0]) for draw in draws]
    assert min(spans) >= 63 and max(spans) > 200  # from hardly any share of the stretched colours to nearly all
    stretched = ContrastPointColors(probability=1.0)(dict(before))['colors'].astype(int)
    assert (stretched[:, 2] == 77).all()
    order = np.argsort(before['colors'][:, 0], kind='stable')
    assert (np.diff(stretched[order, 0]) >= 0).all()
    assert not DropPointColors(probability=1.0)(dict(before))['colors'].any()
    for step in (ShiftPointColors, JitterPointColors, ContrastPointColors, DropPointColors):
        after = step(probability=1.0)(dict(before))['colors']
        assert after.dtype == np.uint8 and before['colors'].max() == 113
        assert step(probability=0.0)(dict(before))['colors'] is before['colors']
        with pytest.raises(ValueError, match=r"uint8.*'room'|'room'.*uint8"):
            step()({**before, 'colors': before['colors'] / 255})
        acts = [
            step(0.5)({**before, 'rng': np.random.default_rng(k)})['colors'] is not before['colors'] for k in range(40)
        ]
        assert 8 < sum(acts) < 32


def test_bright_colours_are_clipped_not_wrapped():
    colors = np.full((500, 3), 250, np.uint8)
    for seed in range(10):
        out = JitterPointColors(1.0, sigma=0.1)({'colors': colors, 'rng': np.random.default_rng(seed)})['colors']
        assert out.min() > 100 and out.max() == 255


def test_colours_reach_the_network_between_0_and_1():
    packed = PackInputs(feature_keys=('colors', 'normals'))(GridSample(0.5)(scene()))
    points = packed['inputs']['points']
    assert points.shape[1] == 9 and 0.9 < points[:, 3:6].max() <= 1 and points[:, 3:6].min() >= 0
    assert packed['data_samples'].semantic.shape == points.shape[:1]


def test_the_labels_of_the_whole_scene_reach_the_evaluation():
    before = scene()
    answers = PackInputs()(GridSample(0.5, random=False, inverse=True)(dict(before)))['data_samples']
    np.testing.assert_array_equal(answers.scene_semantic, before['semantic'])
    # A prediction for each kept point is one for each point of the scene, right where the voxel has one class.
    spread = answers.instance.numpy()[answers.inverse.numpy()]
    assert len(spread) == 5000 and (spread <= before['instance']).all()
    np.testing.assert_array_equal(spread[answers.instance.numpy()], answers.instance.numpy())
