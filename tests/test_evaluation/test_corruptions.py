"""Damaged shapes: each corruption does what its severity says, and nothing else."""

import numpy as np
import pytest

from mmpt.evaluation import CORRUPTIONS, corrupt
from mmpt.evaluation.corruptions import (
    add_noise,
    add_outliers,
    drop_points,
    occlude,
    rotate,
    to_unit_sphere,
    turn,
)


@pytest.fixture(scope='module')
def clouds():
    points = np.random.default_rng(0).normal(size=(5, 200, 3)) * [1.0, 0.5, 0.2]
    return to_unit_sphere(points.astype(np.float32))


def rng(seed=1):
    return np.random.default_rng(seed)


def rows_in(some, of):
    """For each cloud, the places in ``of`` that the points of ``some`` have."""
    equal = (some[:, :, None] == of[:, None]).all(axis=3)
    assert (equal.sum(axis=2) == 1).all()
    return equal.argmax(axis=2)


@pytest.mark.parametrize('share', [1.0, 0.5, 0.123, 0.001])
def test_exactly_so_many_points_are_left(clouds, share):
    left = drop_points(clouds, share, rng())
    assert left.shape == (5, max(1, round(share * 200)), 3) and left.dtype == np.float32
    places = rows_in(left, clouds)
    assert (np.diff(places, axis=1) > 0).all()
    if share == 0.5:
        assert len({tuple(row) for row in places}) == 5  # every cloud loses its own


def test_noise_has_the_deviation_it_says(clouds):
    many = np.repeat(clouds, 20, axis=0)
    moved = add_noise(many, 0.04, rng()) - many
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved.std(axis=(0, 1)), 0.04, rtol=0.03)
    np.testing.assert_allclose(moved.mean(axis=(0, 1)), 0, atol=0.001)


@pytest.mark.parametrize('how', [turn, rotate])
@pytest.mark.parametrize('degrees', [10.0, 90.0])
def test_a_rotation_keeps_distances_and_turns_by_its_angle(clouds, how, degrees):
    turned = how(clouds, degrees, rng())
    before, after = (np.linalg.norm(x[:, :, None] - x[:, None], axis=3) for x in (clouds, turned))
    np.testing.assert_allclose(after, before, atol=1e-5)
    axes = []
    for cloud, other in zip(clouds.astype(np.float64), turned.astype(np.float64)):
        matrix = np.linalg.lstsq(cloud, other, rcond=None)[0].T
        assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-4)
        assert np.degrees(np.arccos((np.trace(matrix) - 1) / 2)) == pytest.approx(degrees, abs=0.05)
        axes.append(matrix @ [0, 1, 0])
    # Up stays up, or every cloud has an axis of its own.
    assert (np.ptp(axes, axis=0).max() < 1e-4) == (how is turn)
    if how is turn:
        np.testing.assert_allclose(axes[0], [0, 1, 0], atol=1e-4)
        side = np.cross(clouds[:, 0, ::2], turned[:, 0, ::2])
        assert (side > 0).any() and (side < 0).any()


@pytest.mark.parametrize('share', [0.1, 0.7])
def test_occlusion_hides_all_beyond_a_plane_and_nothing_before(clouds, share):
    left = occlude(clouds, share, rng())
    assert left.shape[1] == 200 - round(share * 200)
    kept = np.zeros((5, 200), bool)
    np.put_along_axis(kept, rows_in(left, clouds), True, axis=1)
    normals = []
    for cloud, mask in zip(clouds, kept):
        # Where a plane parts them, the perceptron's steps find one; where none does, they never end.
        signed = np.concatenate([cloud, np.ones((200, 1))], axis=1) * np.where(mask, 1, -1)[:, None]
        plane = np.zeros(4)
        for _ in range(200_000):
            wrong = signed[(signed @ plane).argmin()]
            if wrong @ plane > 0:
                break
            plane += wrong
        assert (signed @ plane > 0).all()
        normals.append(plane[:3] / np.linalg.norm(plane[:3]))
    assert np.ptp(normals, axis=0).max() > 0.5


@pytest.mark.parametrize('share', [0.0, 0.05, 1.0])
def test_outliers_replace_exactly_their_share_inside_the_ball(clouds, share):
    damaged = add_outliers(clouds * 2, share, rng())
    changed = (damaged != clouds * 2).any(axis=2)
    assert (changed.sum(axis=1) == round(share * 200)).all() and damaged.dtype == np.float32
    radii = np.linalg.norm(damaged, axis=2)
    assert (radii <= 2 + 1e-5).all()
    if share == 1.0:
        # Evenly in the ball: an eighth within half the radius, and the middle at the origin.
        assert (radii < 1).mean() == pytest.approx(1 / 8, abs=0.03)
        np.testing.assert_allclose(damaged.mean(axis=(0, 1)), 0, atol=0.1)


@pytest.mark.parametrize('name', CORRUPTIONS)
def test_a_corruption_is_its_seed_and_severity(clouds, name):
    before = clouds.copy()
    assert np.array_equal(corrupt(clouds, name, 0), clouds)
    every = [corrupt(clouds, name, severity) for severity in range(1, 6)]
    for severity, damaged in enumerate(every, start=1):
        assert np.array_equal(damaged, corrupt(clouds, name, severity))
        assert not np.array_equal(damaged, corrupt(clouds, name, severity, seed=1))
        np.testing.assert_allclose(np.linalg.norm(damaged, axis=2).max(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(damaged.mean(axis=1), 0, atol=1e-5)
    assert np.array_equal(clouds, before), 'the input was written to'
    kind = CORRUPTIONS[name]
    assert len(kind.values) == 5 and kind.unit
    values = np.array(kind.values)
    assert (np.diff(values) < 0).all() if name == 'fewer points' else (np.diff(values) > 0).all()


@pytest.mark.parametrize('name', ['fewer points', 'occlusion', 'outliers'])
def test_a_stronger_one_takes_the_same_points_and_more(clouds, name):
    kind = CORRUPTIONS[name]
    kept = [kind.damage(clouds, value, rng()) for value in kind.values]
    for milder, stronger in zip(kept, kept[1:]):
        for one, other in zip(milder, stronger):
            own = {tuple(point) for point in one}
            assert {tuple(point) for point in other} & {tuple(p) for p in clouds.reshape(-1, 3)} <= own


def test_what_cannot_be_damaged_is_one_sentence(clouds):
    with pytest.raises(ValueError, match='no corruption .fog.; it is one of fewer points'):
        corrupt(clouds, 'fog', 1)
    with pytest.raises(ValueError, match='severity is 0 to 5, not 6'):
        corrupt(clouds, 'noise', 6)
    with pytest.raises(ValueError, match=r'\(N, P, 3\) array, not one of shape \(200, 3\)'):
        corrupt(clouds[0], 'noise', 1)
    # A cloud of one place has no radius to divide by.
    assert np.array_equal(to_unit_sphere(np.ones((1, 4, 3), np.float32)), np.zeros((1, 4, 3)))
