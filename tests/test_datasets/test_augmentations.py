"""What the augmentations draw, against the recipes of METHODS 2.3 and 4.5, and what moves along with the points."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from scipy.stats import kstest

from mmpt.datasets.transforms import (
    POINT_KEYS,
    ColorJitter,
    FirstPoints,
    Jitter,
    MultiView,
    PointDropout,
    RandomFlip,
    RandomRotation,
    RandomSample,
    RotateUp,
    ScaleAndTranslate,
    TranslateByExtent,
    UnitSphere,
    build_pipeline,
    run_pipeline,
)
from mmpt.datasets.transforms.frame import move

ROOT = Path(__file__).resolve().parents[2]
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-0.5, 0.5) for z in (-0.25, 0.25)], np.float32)


def sample(seed=0, **extra):
    return {'points': CORNERS, 'sample_id': 'box-1', 'rng': np.random.default_rng(seed), **extra}


def fitted(before, after):
    """The affine map of a cloud: (3, 3) and (3,), for columns."""
    rows = np.c_[before, np.ones(len(before))]
    solution = np.linalg.lstsq(rows.astype(np.float64), after.astype(np.float64), rcond=None)[0]
    return solution[:3].T, solution[3]


def drawn(transform, count=1500):
    """The maps that a transform draws."""
    return [fitted(CORNERS, transform(sample(seed))['points']) for seed in range(count)]


def uniform(values, low, high):
    values = np.ravel(values)
    assert values.min() >= low - 1e-5 and values.max() <= high + 1e-5
    assert kstest(values, 'uniform', (low, high - low)).pvalue > 1e-3


def test_scale_and_translate_draws_a_factor_and_a_shift_for_each_axis():
    maps = drawn(ScaleAndTranslate())
    scales, shifts = np.array([np.diag(linear) for linear, _ in maps]), np.array([shift for _, shift in maps])
    for axis in range(3):
        uniform(scales[:, axis], 2 / 3, 3 / 2)
        uniform(shifts[:, axis], -0.2, 0.2)
    together = np.corrcoef(np.c_[scales, shifts].T) - np.eye(6)
    assert abs(together).max() < 0.1


def test_isotropic_scale_is_one_factor():
    maps = drawn(ScaleAndTranslate(scale=(0.5, 2), shift=(0, 0), isotropic=True))
    scales = np.array([np.diag(linear) for linear, _ in maps])
    np.testing.assert_allclose(np.ptp(scales, axis=1), 0, atol=1e-6)
    np.testing.assert_allclose([shift for _, shift in maps], 0, atol=1e-6)
    uniform(scales[:, 0], 0.5, 2)


def test_translation_is_up_to_half_of_the_extent_of_each_axis():
    maps = drawn(TranslateByExtent(0.5))
    np.testing.assert_allclose([linear for linear, _ in maps], np.broadcast_to(np.eye(3), (1500, 3, 3)), atol=1e-6)
    shifts = np.array([shift for _, shift in maps])
    for axis, extent in enumerate((2.0, 1.0, 0.5)):
        uniform(shifts[:, axis], -extent / 2, extent / 2)
    assert abs(np.corrcoef(shifts.T) - np.eye(3)).max() < 0.1


@pytest.mark.parametrize(('up', 'first', 'second'), [('y', 2, 0), ('z', 0, 1)])
def test_rotation_about_up_takes_every_angle_alike(up, first, second):
    linear = np.array([linear for linear, _ in drawn(RotateUp(up_axis=up))])
    kept = 'xyz'.index(up)
    np.testing.assert_allclose(linear[:, kept, kept], 1, atol=1e-6)
    uniform(np.arctan2(linear[:, second, first], linear[:, first, first]), -np.pi, np.pi)
    narrow = np.array([linear for linear, _ in drawn(RotateUp(15, up))])
    uniform(np.rad2deg(np.arctan2(narrow[:, second, first], narrow[:, first, first])), -15, 15)


def test_random_rotation_is_uniform_over_all_rotations():
    linear = np.array([linear for linear, _ in drawn(RandomRotation())])
    np.testing.assert_allclose(linear @ linear.transpose(0, 2, 1), np.broadcast_to(np.eye(3), linear.shape), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(linear), 1, atol=1e-5)
    # Each axis goes to a place that is uniform on the sphere: each coordinate of it is uniform in [-1, 1] (Archimedes).
    for entry in linear.reshape(-1, 9).T:
        uniform(entry, -1, 1)
    # The angle of a uniform rotation has the density (1 - cos a) / pi; uniform angles about uniform axes have not.
    angles = np.arccos(np.clip((np.trace(linear, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert kstest(angles, lambda a: (a - np.sin(a)) / np.pi).pvalue > 1e-3


def test_jitter_is_a_clipped_normal_for_each_coordinate():
    points = np.zeros((20000, 3), np.float32)
    noise = np.ravel(Jitter(0.01, 0.05)(sample(points=points))['points']) / 0.01
    assert kstest(noise, 'norm').pvalue > 1e-3
    clipped = Jitter(0.05, 0.05)(sample(points=points))['points']
    assert abs(clipped).max() == np.float32(0.05)
    assert np.mean(abs(clipped) == np.float32(0.05)) == pytest.approx(0.3173, abs=0.01)  # beyond one sigma


def test_point_dropout_draws_the_share_and_puts_dropped_points_on_point_0():
    points = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    shares = []
    for seed in range(500):
        after = PointDropout(0.875)(sample(seed, points=points))['points']
        dropped = (after == points[0]).all(axis=1)
        np.testing.assert_array_equal(after[~dropped], points[~dropped])
        shares.append(dropped.mean())
    # The share of the drawn ratio itself varies by at most sqrt(0.25 / 1000).
    assert max(shares) < 0.875 + 0.05
    assert kstest(shares, 'uniform', (0, 0.875)).pvalue > 1e-3


def test_colour_jitter_draws_each_factor_around_one():
    picture = np.array([[[100, 60, 20], [20, 100, 60]]], np.uint8)
    grey = picture @ np.array([0.299, 0.587, 0.114])
    mean = np.broadcast_to(grey.mean(), picture.shape)
    for place, other in enumerate((np.zeros(picture.shape), mean, np.repeat(grey[..., None], 3, axis=2))):
        strengths = np.zeros(3)
        strengths[place] = 0.4
        factors = []
        for seed in range(800):
            results = sample(seed, images=np.stack([picture]), has_image=np.ones(1, bool))
            after = ColorJitter(*strengths)(results)['images'][0]
            away = (picture - other).ravel()
            factors.append(away @ (after - other).ravel() / (away @ away))
        uniform(np.clip(factors, 0.6, 1.4), 0.6, 1.4)
        assert min(factors) > 0.58 and max(factors) < 1.42


def test_half_of_the_pictures_are_mirrored():
    images = np.zeros((1, 1, 2, 3), np.uint8)
    images[0, 0, 0] = 255
    mirrored = [
        not RandomFlip()(sample(seed, images=images, has_image=np.ones(1, bool)))['images'][0, 0, 0, 0]
        for seed in range(1000)
    ]
    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.05)


TRANSFORMS = [
    UnitSphere(),
    ScaleAndTranslate(),
    ScaleAndTranslate(isotropic=True),
    TranslateByExtent(),
    RotateUp(),
    RotateUp(up_axis='z'),
    RandomRotation(),
]
NAMES = [
    'UnitSphere',
    'ScaleAndTranslate',
    'isotropic',
    'TranslateByExtent',
    'RotateUp-y',
    'RotateUp-z',
    'RandomRotation',
]


@pytest.mark.parametrize('transform', TRANSFORMS, ids=NAMES)
def test_all_that_stands_in_the_frame_moves_along(transform):
    """Targets like points, normals perpendicular to the moved surface, projections to the same pixels."""
    rng = np.random.default_rng(1)
    complete, partial = rng.normal(size=(30, 3)).astype(np.float32), rng.normal(size=(9, 3)).astype(np.float32)
    tangents = rng.normal(size=(8, 3)).astype(np.float32)
    normals = np.cross(tangents, rng.normal(size=(8, 3))).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    projections = rng.normal(size=(2, 3, 4))
    after = transform(
        sample(3, complete=complete, partials=[partial, complete], normals=normals, projections=projections)
    )
    linear, shift = fitted(CORNERS, after['points'])
    for old, new in ((complete, after['complete']), (partial, after['partials'][0]), (complete, after['partials'][1])):
        assert new.dtype == np.float32
        np.testing.assert_allclose(new, old @ linear.T + shift, atol=2e-5)
    np.testing.assert_allclose(((tangents @ linear.T) * after['normals']).sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(after['normals'], axis=1), 1, atol=1e-6)
    pixels = [
        np.einsum('vij,nj->vni', matrix, np.c_[points, np.ones(8)])
        for matrix, points in ((projections, CORNERS), (after['projections'], after['points']))
    ]
    np.testing.assert_allclose(pixels[1], pixels[0], atol=1e-4)


def corners_of(boxes):
    """(K, 8, 3) of boxes (K, 7)."""
    ends = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
    turns = np.array([[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in boxes[:, 6]])
    return np.einsum('kij,kcj->kci', turns, ends * boxes[:, None, 3:6]) + boxes[:, None, :3]


@pytest.mark.parametrize(
    'transform', [UnitSphere(), ScaleAndTranslate(isotropic=True), TranslateByExtent(), RotateUp(up_axis='z')]
)
def test_boxes_stay_around_the_same_points(transform):
    boxes = np.array([[1, 2, 0.5, 4, 2, 1.5, 0.7], [-3, 0, 1, 1, 1, 2, -2.5]], np.float32)
    after = transform(sample(5, boxes=boxes))
    linear, shift = fitted(CORNERS, after['points'])
    np.testing.assert_allclose(corners_of(after['boxes']), corners_of(boxes) @ linear.T + shift, atol=1e-4)


def test_a_mirrored_box_has_the_same_corners():
    boxes = np.array([[1, 2, 0.5, 4, 2, 1.5, 0.7]], np.float32)
    mirror = np.diag([-1.0, 1.0, 1.0])
    after = move(sample(boxes=boxes), mirror, np.zeros(3))
    np.testing.assert_array_equal(after['points'], CORNERS * (-1, 1, 1))
    expected = corners_of(boxes)[0] @ mirror.T
    distance = np.linalg.norm(corners_of(after['boxes'])[0][:, None] - expected, axis=-1)
    assert distance.min(axis=0).max() < 1e-5


@pytest.mark.parametrize('transform', [ScaleAndTranslate(), RotateUp(), RandomRotation()])
def test_boxes_that_would_lean_are_refused(transform):
    with pytest.raises(ValueError, match=r"boxes of sample 'box-1'.*RotateUp\(up_axis='z'\)"):
        transform(sample(5, boxes=np.ones((1, 7), np.float32)))


@pytest.mark.parametrize('transform', [RandomSample(6), FirstPoints(5), PointDropout(0.9)])
def test_whatever_picks_points_picks_rows_of_every_point_key(transform):
    row = np.arange(8)
    keys = {key: row for key in POINT_KEYS if key not in ('points', 'normals', 'colors')}
    colors = np.repeat(row[:, None], 3, axis=1).astype(np.uint8)
    after = transform(
        sample(4, points=colors.astype(np.float32), normals=colors.astype(np.float32), colors=colors, **keys)
    )
    kept = after['parts']
    for key in POINT_KEYS:
        np.testing.assert_array_equal(after[key].reshape(len(kept), -1)[:, 0], kept)
    assert after['colors'].dtype == np.uint8


def views(*pipelines, seed=0, **extra):
    after = MultiView(pipelines)(sample(seed, **extra))
    return after, after['rng'].random()


def test_each_view_has_draws_of_its_own():
    """Changing a view, or adding one, moves no draw of another view nor of what follows."""
    two, next_draw = views([RotateUp()], [RotateUp()])
    assert not np.allclose(two['points'], two['points_view2'])
    for other, other_draw in (
        views([RotateUp()], [RandomSample(4), Jitter(), RotateUp()]),
        views([RotateUp()], [], [RotateUp()]),
        views([RotateUp()]),
    ):
        np.testing.assert_array_equal(other['points'], two['points'])
        assert other_draw == next_draw
    changed, changed_draw = views([Jitter(), RandomSample(5)], [RotateUp()], [RotateUp()])
    np.testing.assert_array_equal(changed['points_view2'], two['points_view2'])
    assert changed['points'].shape == (5, 3) and changed_draw == next_draw
    assert not np.allclose(changed['points_view3'], changed['points_view2'])
    again, _ = views([RotateUp()], [RotateUp()], seed=1)
    assert not np.allclose(again['points'], two['points'])


def test_views_start_from_the_same_cloud_and_carry_all_rows():
    row = np.arange(8)
    colors = np.repeat(row[:, None], 3, axis=1).astype(np.uint8)
    after, _ = views(
        [], [RandomSample(5)], [FirstPoints(2)], normals=CORNERS, colors=colors, parts=row, caption='a box'
    )
    np.testing.assert_array_equal(after['points'], CORNERS)
    for number, count in ((2, 5), (3, 2)):
        kept = after[f'parts_view{number}']
        assert len(kept) == count
        for key, whole in (('points', CORNERS), ('normals', CORNERS), ('colors', colors)):
            np.testing.assert_array_equal(after[f'{key}_view{number}'], whole[kept])
    assert after['caption'] == 'a box' and 'caption_view2' not in after and 'points_view4' not in after


def test_multi_view_says_what_its_first_view_does_to_the_data():
    assert MultiView([[UnitSphere()], []]).metainfo == {'normalize': 'unit_sphere'}
    assert MultiView([[], [UnitSphere()]]).metainfo == {}
    with pytest.raises(ValueError, match=r'MultiView\(pipelines=\[\]\)'):
        MultiView([])


PRESETS = Config.fromfile(ROOT / 'configs/_base_/augmentations.py')


@pytest.mark.parametrize('name', list(PRESETS))
def test_every_preset_runs(name):
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), dtype=np.uint8)
    before = sample(images=images, has_image=np.ones(2, bool))
    after = run_pipeline(build_pipeline(PRESETS[name]), dict(before))
    changed = 'images' if 'image' in name else 'points'
    assert not np.array_equal(after[changed], before[changed])


def test_the_presets_are_the_recipes():
    """METHODS 4.5 and 2.3, read as maps of one cloud: what is a rotation, what a stretch."""
    for name in ('act_finetune', 'recon_pretrain', 'recon_scanobjectnn', 'recon_few_shot'):
        linear, shift = fitted(CORNERS, run_pipeline(build_pipeline(PRESETS[name]), sample())['points'])
        np.testing.assert_allclose(linear @ linear.T, np.eye(3), atol=1e-5)
        np.testing.assert_allclose([*linear[1], *shift], [0, 1, 0, 0, 0, 0], atol=1e-5)
    for name in ('point_mae', 'act_pretrain', 'recon_modelnet', 'part_segmentation'):
        linear, shift = fitted(CORNERS, run_pipeline(build_pipeline(PRESETS[name]), sample())['points'])
        np.testing.assert_allclose(linear, np.diag(np.diag(linear)), atol=1e-5)
        assert (np.ptp(np.diag(linear)) < 1e-5) == (name == 'part_segmentation') and abs(shift).min() > 1e-4


def test_a_config_takes_a_preset(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(
        f"_base_ = ['{ROOT}/configs/_base_/augmentations.py']\n"
        'pipeline = [dict(type="MultiView", pipelines=[_base_.crosspoint_view] * 2), *_base_.crosspoint_image]\n'
    )
    pipeline = build_pipeline(Config.fromfile(config).pipeline)
    assert [type(step).__name__ for step in pipeline] == ['MultiView', 'ColorJitter', 'RandomFlip']
    assert [len(view) for view in pipeline[0].pipelines] == [6, 6]
