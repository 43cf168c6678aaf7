"""Transforms of completion: what is cut away, mirrored, and filled up."""

import numpy as np
import pytest

from mmpt.datasets.transforms import (
    VIEWPOINTS,
    CropViewpoint,
    HiddenPointRemoval,
    RandomMirror,
    ResamplePoints,
    completion,
)


def rows(points):
    return {tuple(row) for row in np.asarray(points).tolist()}


def sample(points, seed=0, **more):
    return {'sample_id': 'cloud', 'points': points, 'rng': np.random.default_rng(seed), **more}


@pytest.fixture
def cloud():
    return np.random.default_rng(7).uniform(-1, 1, (64, 3)).astype(np.float32)


def test_the_eight_viewpoints_are_the_corners():
    assert VIEWPOINTS.shape == (8, 3) and rows(VIEWPOINTS) == {
        (x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)
    }


@pytest.mark.parametrize(('removed', 'left'), [(0.25, 48), (0.5, 32), (0.75, 16)])
def test_crop_removes_the_nearest_points_of_a_corner(cloud, removed, left):
    for number, corner in enumerate(VIEWPOINTS):
        out = CropViewpoint(removed, num_points=left, viewpoint=number)(sample(cloud, normals=cloud * 2))
        by_distance = sorted(cloud.tolist(), key=lambda row: np.linalg.norm(np.array(row) - corner))
        assert rows(out['points']) == rows(by_distance[64 - left :])
        np.testing.assert_array_equal(out['normals'], out['points'] * 2)  # rows stay together
        np.testing.assert_array_equal(out['complete'], cloud)


def test_crop_thins_out_by_farthest_points(cloud):
    out = CropViewpoint(0.25, num_points=10, viewpoint=3)(sample(cloud))
    left = np.array(sorted(cloud.tolist(), key=lambda row: np.linalg.norm(np.array(row) - VIEWPOINTS[3]))[16:])
    chosen = [0]
    while len(chosen) < 10:
        nearest = np.array([min(np.linalg.norm(point - left[c]) for c in chosen) for point in left])
        chosen.append(int(nearest.argmax()))
    np.testing.assert_allclose(out['points'], left[chosen], rtol=1e-6)


def test_a_random_crop_draws_share_and_direction(monkeypatch):
    monkeypatch.setattr(completion, '_farthest', lambda points, count: np.arange(len(points)))
    points = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    counts, gone = [], []
    for seed in range(600):
        out = CropViewpoint((0.25, 0.75), num_points=10)(sample(points, seed))
        counts.append(40 - len(out['points']))
        gone.append(np.mean(list(rows(points) - rows(out['points'])), axis=0))
    assert set(counts) == set(range(10, 31))  # both ends included
    assert np.ptp(np.bincount(counts)[10:]) < 40  # 600 / 21 = 29 each
    octants = {tuple((centre > 0).tolist()) for centre in gone}
    assert len(octants) == 8  # from all sides


def test_crop_refuses_what_it_cannot_do(cloud):
    for removed in (1.0, -0.1, (0.5, 0.2), (0.1, 0.2, 0.3)):
        with pytest.raises(ValueError, match='expected a share'):
            CropViewpoint(removed)
    with pytest.raises(ValueError, match='0 to 7'):
        CropViewpoint(viewpoint=8)
    with pytest.raises(ValueError, match=r"cuts 48 of 64 points of sample 'cloud'.*num_points=17"):
        CropViewpoint(0.75, num_points=17)(sample(cloud))


def test_mirroring_moves_partial_and_complete_alike(cloud):
    unit = cloud[:10] / np.linalg.norm(cloud[:10], axis=1, keepdims=True)
    signs = []
    for seed in range(400):
        out = RandomMirror()(sample(cloud[:10], seed, complete=cloud, normals=unit))
        sign = out['points'][0] / cloud[0]
        np.testing.assert_array_equal(out['points'], cloud[:10] * sign)
        np.testing.assert_array_equal(out['complete'], cloud * sign)
        np.testing.assert_allclose(out['normals'], unit * sign, atol=1e-6)
        signs.append(tuple(sign.tolist()))
    assert {sign[1] for sign in signs} == {1.0}  # up stays up
    assert len(set(signs)) == 4 and min(map(signs.count, set(signs))) > 70  # a quarter each
    with pytest.raises(ValueError, match='x, y and z'):
        RandomMirror(axes='w')


@pytest.mark.parametrize('count', [3, 16, 64])
def test_resampling_keeps_all_points_before_it_repeats(cloud, count):
    given = cloud[:count]
    out = ResamplePoints(16)(sample(given, parts=np.arange(count)))
    times = np.bincount(out['parts'], minlength=count)
    assert out['points'].shape == (16, 3) and times.max() - times.min() <= 1
    np.testing.assert_array_equal(out['points'], given[out['parts']])
    again = ResamplePoints(16)(sample(given, 1, parts=np.arange(count)))
    assert not np.array_equal(out['parts'], again['parts'])


def test_resampling_fills_up_with_zeros(cloud):
    out = ResamplePoints(80, mode='zeros')(sample(cloud, normals=cloud))
    assert rows(out['points'][:64]) == rows(cloud) and not out['points'][64:].any() and not out['normals'][64:].any()
    assert ResamplePoints(16, mode='zeros')(sample(cloud, parts=np.zeros(64, int)))['points'].all()
    with pytest.raises(ValueError, match="'cloud' has 64 of 80 points and 'parts'"):
        ResamplePoints(80, mode='zeros')(sample(cloud, parts=np.zeros(64, int)))
    with pytest.raises(ValueError, match='expected repeat'):
        ResamplePoints(80, mode='pad')


def test_resampling_with_replacement_misses_some_and_repeats_some(cloud):
    drawn = [ResamplePoints(64, mode='replace')(sample(cloud, s, parts=np.arange(64)))['parts'] for s in range(50)]
    distinct = np.mean([len(set(parts.tolist())) for parts in drawn])
    assert distinct == pytest.approx(64 * (1 - (1 - 1 / 64) ** 64), abs=1.5)  # 40.6 of 64


def sphere(count, radius=1.0, seed=0):
    points = np.random.default_rng(seed).standard_normal((count, 3))
    return (radius * points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize('number', [0, 5])
def test_of_a_sphere_the_near_side_is_seen_and_nothing_inside(number):
    """From a distance of d radii, a point is seen whose cosine with the direction is above 1 / d."""
    outer, inner = sphere(4096), sphere(4096, 0.5, seed=1)
    cloud = np.concatenate([outer, inner])
    out = HiddenPointRemoval(distance=3, flip=1.5, viewpoint=number)(sample(cloud, normals=cloud * 2))
    cosine = out['points'] @ VIEWPOINTS[number] / np.sqrt(3)
    assert np.linalg.norm(out['points'], axis=1).min() > 0.9  # no point of the sphere within
    facing = outer @ VIEWPOINTS[number] / np.sqrt(3)
    assert rows(outer[facing > 0.34]) <= rows(out['points']) and cosine.min() > 0.25
    np.testing.assert_array_equal(out['normals'], out['points'] * 2)
    np.testing.assert_array_equal(out['complete'], cloud)
    assert out['viewpoint'] == number


def test_a_wall_hides_what_is_behind_it_wherever_the_cloud_stands():
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 60)] * 2), -1).reshape(-1, 2)
    wall, behind = (np.column_stack([size * grid, np.full(3600, z)]) for size, z in ((1, 0.05), (0.3, -0.05)))
    cloud = (np.concatenate([wall, behind]) + [7, -2, 4]).astype(np.float32)
    for number, corner in enumerate(VIEWPOINTS):
        seen = HiddenPointRemoval(viewpoint=number)(sample(cloud, parts=np.arange(7200)))['parts']
        # From in front the wall is seen and nothing else, from behind the small one.
        wall_seen, behind_seen = (seen < 3600).mean(), (seen >= 3600).sum() / 3600
        assert (wall_seen == 1 and len(seen) > 3400) if corner[2] > 0 else behind_seen > 0.9


def test_a_drawn_viewpoint_is_that_of_the_seed():
    cloud = sphere(400)
    first, again, other = (HiddenPointRemoval(flip=1)(sample(cloud, seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first['points'], again['points'])
    assert rows(first['points']) != rows(other['points']) and 'viewpoint' not in first


def test_hidden_point_removal_refuses_what_it_cannot_do(cloud):
    for wrong in ({'distance': 1.0}, {'flip': -1}):
        with pytest.raises(ValueError, match='expected a distance above 1'):
            HiddenPointRemoval(**wrong)
    with pytest.raises(ValueError, match=r'HiddenPointRemoval\(viewpoint=8\).*0 to 7'):
        HiddenPointRemoval(viewpoint=8)
    with pytest.raises(ValueError, match="4 points of sample 'cloud' lie in one plane"):
        HiddenPointRemoval(viewpoint=0)(sample(np.outer(np.arange(4), [1, 1, 1]).astype(np.float32)))


def test_what_is_fixed_is_said(cloud):
    out = CropViewpoint(0.25, num_points=10, viewpoint=3)(sample(cloud))
    assert (out['removed'], out['viewpoint']) == (0.25, 3)
    assert not {'removed', 'viewpoint'} & set(CropViewpoint(num_points=10)(sample(cloud)))
