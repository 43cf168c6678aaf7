"""The mathematics of the transforms, their draws, and what they say about bad input."""

import cv2
import numpy as np
import pytest
import torch

from mmpt.datasets.transforms import (
    ColorJitter,
    FirstPoints,
    Jitter,
    LoadImages,
    MultiView,
    PackInputs,
    PickViews,
    PointDropout,
    RandomFlip,
    RandomSample,
    RenderViews,
    ResizeImages,
    RotateUp,
    ScaleAndTranslate,
    UnitSphere,
    run_pipeline,
)


def sphere(num=256, seed=0, **extra):
    """Points of an ellipsoid with their exact normals, all of it in float32."""
    axes = np.array([1.0, 0.5, 0.8])
    unit = np.random.default_rng(seed).standard_normal((num, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    normals = unit / axes
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    results = {
        'points': (unit * axes).astype(np.float32),
        'normals': normals.astype(np.float32),
        'parts': np.arange(num),
        'sample_id': 'ball-7',
        'rng': np.random.default_rng(seed),
    }
    return {**results, **extra}


def sentence(error):
    """The message is one line that ends as a sentence and says which sample it is about."""
    text = str(error.value.args[0])
    assert '\n' not in text
    assert text.endswith('.')
    return text


def test_random_sample_is_a_paired_choice_without_replacement():
    whole, part = sphere(), RandomSample(100)(sphere())
    assert len(set(part['parts'])) == 100
    for key in ('points', 'normals'):
        np.testing.assert_array_equal(part[key], whole[key][part['parts']])
    assert not np.array_equal(part['parts'], np.sort(part['parts']))


def test_first_points_are_the_first():
    np.testing.assert_array_equal(FirstPoints(5)(sphere())['parts'], np.arange(5))


@pytest.mark.parametrize('transform', [RandomSample(300), FirstPoints(300)])
def test_fewer_points_than_asked(transform):
    with pytest.raises(ValueError, match='fewer points than asked') as error:
        transform(sphere())
    text = sentence(error)
    assert 'ball-7' in text and '256' in text and '300' in text


def test_unit_sphere_after_any_scale_and_shift():
    base = UnitSphere()(sphere())['points']
    moved = UnitSphere()(sphere(points=sphere()['points'] * np.float32(7) + np.float32(30)))['points']
    assert base.dtype == np.float32
    np.testing.assert_allclose(base.mean(axis=0), 0, atol=1e-6)
    assert np.linalg.norm(base, axis=1).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(moved, base, atol=1e-5)


def test_unit_sphere_refuses_a_single_place():
    with pytest.raises(ValueError, match='ball-7') as error:
        UnitSphere()(sphere(points=np.ones((10, 3), np.float32)))
    sentence(error)


def test_scale_and_translate_stays_in_its_bands_and_keeps_normals_perpendicular():
    before, scales, shifts = sphere(), [], []
    for seed in range(200):
        after = ScaleAndTranslate()(sphere(rng=np.random.default_rng(seed)))
        scale = np.ptp(after['points'], axis=0) / np.ptp(before['points'], axis=0)
        scales.append(scale)
        shifts.append((after['points'] - before['points'] * scale).mean(axis=0))
        # On the stretched ellipsoid the exact normal is the gradient of its equation.
        axes = np.array([1.0, 0.5, 0.8]) * scale
        exact = (after['points'] - shifts[-1]) / axes**2
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
        np.testing.assert_allclose(after['normals'], exact, atol=1e-4)
    scales, shifts = np.array(scales), np.array(shifts)
    assert scales.min() > 2 / 3 - 1e-4 and scales.max() < 1.5 + 1e-4
    assert scales.min() < 0.7 and scales.max() > 1.45
    assert abs(shifts).max() < 0.2 + 1e-4 and abs(shifts).max() > 0.19
    # Each axis has a draw of its own.
    assert abs(np.corrcoef(scales.T)[0, 1]) < 0.25


@pytest.mark.parametrize(('axis', 'kept'), [('y', 1), ('z', 2)])
def test_rotate_up_is_a_rotation_about_up_that_takes_normals_along(axis, kept):
    before, after = sphere(), RotateUp(up_axis=axis)(sphere())
    rotation = np.linalg.lstsq(before['points'], after['points'], rcond=None)[0]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(after['points'][:, kept], before['points'][:, kept], atol=1e-6)
    np.testing.assert_allclose(after['normals'], before['normals'] @ rotation, atol=1e-5)
    assert abs(rotation - np.eye(3)).max() > 0.1


def test_rotate_up_turns_z_towards_x_about_y():
    from mmpt.datasets.transforms.frame import rotation_about

    np.testing.assert_allclose(rotation_about('y', np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(rotation_about('z', np.pi / 2) @ [1, 0, 0], [0, 1, 0], atol=1e-6)


def test_jitter_is_clipped_noise():
    moved = Jitter(sigma=0.03, clip=0.05)(sphere(num=4096))['points'] - sphere(num=4096)['points']
    assert abs(moved).max() == pytest.approx(0.05, abs=1e-6)
    assert moved.std() == pytest.approx(0.0266, abs=0.002)  # of a normal of 0.03 clipped at 5/3 sigma


def test_point_dropout_puts_dropped_points_on_the_first():
    parts = PointDropout(0.875)(sphere(rng=np.random.default_rng(3)))['parts']
    assert len(parts) == 256
    dropped = parts == 0
    np.testing.assert_array_equal(parts[~dropped], np.arange(256)[~dropped])
    assert 1 < dropped.sum() < 256


@pytest.mark.parametrize(
    'transform',
    [RandomSample(50), ScaleAndTranslate(), RotateUp(), Jitter(), PointDropout(), MultiView([[Jitter()], []]),
     ColorJitter(), RandomFlip(), PickViews(2), RenderViews(2, 16)],
    ids=lambda transform: type(transform).__name__,
)  # fmt: skip
def test_draws_come_from_the_samples_generator_alone(transform):
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    state = np.random.get_state()[1].copy()

    def run(seed):
        results = sphere(images=images, has_image=np.ones(4, bool), rng=np.random.default_rng(seed))
        results = transform(results)
        return np.concatenate([np.ravel(results[k]) for k in ('points', 'points_view2', 'images') if k in results])

    np.testing.assert_array_equal(run(1), run(1))
    assert any(not np.array_equal(run(1), run(seed)) for seed in (2, 3, 4))
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_inputs_are_never_written_into():
    points = sphere()
    for value in points.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    images = np.full((2, 8, 8, 3), 90, np.uint8)
    images.setflags(write=False)
    steps = [UnitSphere(), ScaleAndTranslate(), RotateUp(), Jitter(), PointDropout(), RandomSample(9), ColorJitter()]
    run_pipeline([*steps, RandomFlip(), ResizeImages(4)], {**points, 'images': images, 'has_image': np.ones(2, bool)})


def write(path, array):
    assert cv2.imwrite(str(path), array)
    return str(path)


def test_load_images_composites_on_white_and_marks_what_is_missing(tmp_path):
    clear = np.zeros((20, 20, 4), np.uint8)
    clear[:10] = (0, 0, 255, 255)  # the upper half is opaque red (BGRA), the lower half transparent black
    paths = [write(tmp_path / 'a.png', clear), write(tmp_path / 'b.png', np.full((9, 9), 77, np.uint8))]
    results = LoadImages(num_views=3, size=10, random=False)(sphere(image_paths=paths))
    assert results['images'].shape == (3, 10, 10, 3) and results['images'].dtype == np.uint8
    np.testing.assert_array_equal(results['has_image'], [True, True, False])
    np.testing.assert_array_equal(results['images'][0, 0, 0], [255, 0, 0])
    np.testing.assert_array_equal(results['images'][0, -1, 0], [255, 255, 255])
    assert (results['images'][1] == 77).all() and not results['images'][2].any()


def test_load_images_draws_every_view_and_none_twice(tmp_path):
    paths = [write(tmp_path / f'{k}.png', np.full((4, 4, 3), k, np.uint8)) for k in range(4)]
    seen = set()
    for seed in range(30):
        results = LoadImages(2, 4)(sphere(image_paths=paths, rng=np.random.default_rng(seed)))
        values = results['images'][:, 0, 0, 0].tolist()
        assert values[0] != values[1]
        seen.update(values)
    assert seen == {0, 1, 2, 3}


def test_load_images_names_a_file_that_is_no_picture(tmp_path):
    (tmp_path / 'bad.png').write_bytes(b'not a picture')
    with pytest.raises(ValueError, match=r'bad\.png') as error:
        LoadImages()(sphere(image_paths=[str(tmp_path / 'bad.png')]))
    sentence(error)


def test_colour_jitter_keeps_grey_pictures_grey_and_missing_ones_black():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[0] = np.linspace(40, 200, 64).reshape(8, 8, 1)
    after = ColorJitter()(sphere(images=images, has_image=np.array([True, False])))['images']
    assert not after[1].any()
    assert not np.array_equal(after[0], images[0])
    assert np.ptp(after[0].astype(int), axis=-1).max() <= 1
    still = ColorJitter(0, 0, 0)(sphere(images=images, has_image=np.array([True, False])))['images']
    np.testing.assert_array_equal(still, images)


def test_random_flip_mirrors_left_to_right():
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), dtype=np.uint8)
    flipped = RandomFlip(1.0)(sphere(images=images, has_image=np.ones(1, bool)))['images']
    np.testing.assert_array_equal(flipped, images[:, :, ::-1])
    np.testing.assert_array_equal(RandomFlip(0.0)(sphere(images=images, has_image=np.ones(1, bool)))['images'], images)


def test_render_views_shows_the_shape_on_white():
    results = RenderViews(3, 32)(sphere(num=2048))
    assert results['images'].shape == (3, 32, 32, 3) and results['has_image'].all()
    covered = (results['images'] < 255).any(axis=-1).mean(axis=(1, 2))
    assert (covered > 0.15).all() and (covered < 0.8).all()
    assert (results['images'][:, 0, 0] == 255).all()


def test_render_views_does_not_depend_on_where_the_cloud_is():
    moved = sphere(num=2048, points=sphere(num=2048)['points'] * np.float32(3) + np.float32(5))
    apart = RenderViews(2, 32)(moved)['images'].astype(int) - RenderViews(2, 32)(sphere(num=2048))['images']
    assert abs(apart).mean() < 1


def test_pack_inputs_gives_contract_one():
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    results = sphere(images=images, has_image=np.array([True, False]), label=3, class_name='chair')
    results.update(split='train', index=7, epoch=2, points_view2=results['points'][:9], normals_view2=np.ones((9, 3)))
    packed = PackInputs(('normals',), image_views=2, image_size=4)(results)
    inputs, sample = packed['inputs'], packed['data_samples']
    assert {key: (tuple(value.shape), value.dtype) for key, value in inputs.items()} == {
        'points': ((256, 6), torch.float32),
        'points_view2': ((9, 6), torch.float32),
        'images': ((2, 3, 4, 4), torch.uint8),
        'has_image': ((2,), torch.bool),
    }
    np.testing.assert_array_equal(inputs['points'][:, 3:], results['normals'])
    np.testing.assert_array_equal(inputs['images'][1, 2], images[1, :, :, 2])
    assert (sample.sample_id, sample.index, sample.epoch, sample.split) == ('ball-7', 7, 2, 'train')
    assert (sample.label, sample.class_name, sample.parts.dtype) == (3, 'chair', torch.int64)


def test_pack_inputs_fills_in_missing_pictures_with_a_fixed_shape():
    inputs = PackInputs(image_views=2, image_size=5)(sphere())['inputs']
    assert inputs['points'].shape == (256, 3)
    assert inputs['images'].shape == (2, 3, 5, 5) and not inputs['images'].any() and not inputs['has_image'].any()
    assert set(PackInputs()(sphere())['inputs']) == {'points'}


@pytest.mark.parametrize(
    ('pack', 'change', 'kind', 'reason'),
    [
        (PackInputs(('colors',)), {}, KeyError, "'colors'"),
        (PackInputs(), {'points': np.zeros((4, 5), np.float32)}, ValueError, r'\(4, 5\)'),
        (PackInputs(), {'points': np.full((256, 3), np.nan)}, ValueError, 'NaN'),
        (PackInputs(), {'parts': np.zeros(3)}, ValueError, "row of 'parts'"),
        (PackInputs(image_views=1, image_size=8), {'images': np.zeros((1, 4, 4, 3), np.uint8),
         'has_image': np.ones(1, bool)}, ValueError, 'image_size'),
        (PackInputs(image_views=1, image_size=4), {'images': np.zeros((1, 4, 4, 3), np.float32),
         'has_image': np.ones(1, bool)}, ValueError, 'uint8'),
        (RandomFlip(), {}, KeyError, "'images'"),
        (PickViews(3), {'images': np.zeros((1, 4, 4, 3), np.uint8), 'has_image': np.ones(1, bool)}, ValueError,
         'fewer views'),
    ],
)  # fmt: skip
def test_errors_name_the_sample_and_the_remedy(pack, change, kind, reason):
    with pytest.raises(kind, match=reason) as error:
        pack(sphere(**change))
    assert 'ball-7' in sentence(error)


@pytest.mark.parametrize(
    ('key', 'remedy'), [('vertices', 'put SampleSurface before'), ('points_path', 'put LoadPoints before')]
)
def test_a_shape_without_points_says_which_step_is_missing(key, remedy):
    with pytest.raises(KeyError, match=remedy):
        PackInputs()({'sample_id': 'a', key: 'b'})


def test_a_transform_that_drops_a_sample_is_an_error():
    with pytest.raises(TypeError, match='returned None'):
        run_pipeline([lambda results: None], sphere())


def test_depth_maps_are_brighter_where_nearer():
    """U10: the front face of a box seen from the front is nearer than a ball behind it to the side."""
    rng = np.random.default_rng(0)
    plane = np.stack([rng.uniform(-0.5, 0.0, 3000), rng.uniform(-0.3, 0.3, 3000), np.full(3000, 0.6)], 1)
    behind = np.stack([rng.uniform(0.1, 0.5, 3000), rng.uniform(-0.3, 0.3, 3000), np.full(3000, -0.6)], 1)
    results = {'points': np.concatenate([plane, behind]).astype(np.float32), 'rng': rng}
    render = RenderViews(size=32, azimuth=(0, 0), elevation=(0, 0), depth=True)
    image = render(results)['images'][0]
    assert image.shape == (32, 32, 3) and (image[..., 0] == image[..., 2]).all() and image[0, 0, 0] == 0
    left, right = image[12:20, 8:14, 0], image[12:20, 19:22, 0]
    assert left.min() > right.max() > 0
