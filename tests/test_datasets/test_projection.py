"""Points and pixels: pairs against a slow loop, through resizing, mirroring, moving and sampling; the drawing tool."""

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from _kitti import write_frame
from _scripts import load_script

from mmpt.datasets import KITTI
from mmpt.datasets.lidar import box_corners, pose_matrix, read_rows
from mmpt.datasets.transforms import (
    CropRange,
    LoadImages,
    PickViews,
    ProjectPoints,
    RandomFlip,
    RandomSample,
    ResizeImages,
    RotateUp,
    project,
)

ROOT = Path(__file__).parents[2]
# Looks along x; y is its left, z its up: focal length 50, middle of a picture of 40 x 30 pixels.
CAMERA = np.array([[19.5, -50, 0, 0], [14.5, 0, -50, 0], [1, 0, 0, 0]])


def sample(count=400, views=2, size=(30, 40), scale=1.0, seed=0):
    """Points all around, cameras to the front and to the back, one picture missing."""
    rng = np.random.default_rng(seed)
    back = CAMERA @ np.diag([-1, -1, 1, 1])
    return {
        'sample_id': 'made',
        'points': rng.uniform(-20, 20, (count, 3)).astype(np.float32) * (1, 1, 0.3),
        'projections': np.stack([CAMERA, back]),
        'images': rng.integers(0, 255, (views, *size, 3), np.uint8),
        'has_image': np.ones(views, bool),
        'image_index': np.array([1, 0, -1][:views]),
        'image_scale': np.full((views, 2), scale),
        'rng': np.random.default_rng(1),
    }


def slow_pairs(results, min_depth):
    """One point at a time, in the words of the documentation."""
    found = []
    for view, index in enumerate(results['image_index']):
        for point, row in enumerate(results['points'].tolist()):
            if index < 0:
                continue
            u, v, w = (sum(p * x for p, x in zip(line, (*row, 1))) for line in results['projections'][index].tolist())
            if w < min_depth:
                continue
            scale = results['image_scale'][view]
            column, line = math.floor((u / w + 0.5) * scale[0]), math.floor((v / w + 0.5) * scale[1])
            if 0 <= column < results['images'].shape[2] and 0 <= line < results['images'].shape[1]:
                found.append([point, view, line, column])
    return found


@pytest.mark.parametrize(('size', 'scale'), [((30, 40), 1.0), ((15, 20), 0.5), ((45, 80), (2.0, 1.5))])
def test_pairs_are_those_of_a_slow_loop(size, scale):
    results = sample(views=3, size=size, scale=scale)
    results['image_scale'][2] = 1
    pairs = ProjectPoints(min_depth=2)(results)['pairs']
    assert pairs.dtype == np.int64 and pairs.tolist() == slow_pairs(results, 2)
    assert len(pairs) > 30 and set(pairs[:, 1]) == {0, 1}  # the third picture is missing
    points = results['points'].astype(np.float64)
    front, back = (points[pairs[pairs[:, 1] == view, 0], 0] for view in (1, 0))
    assert (front >= 2).all() and (back <= -2).all()  # never from behind


def test_a_pixel_reaches_half_a_pixel_to_either_side():
    results = sample(views=1)
    results['image_index'] = np.array([0])
    # At distance 10: the middle of the first pixel, its outer edge, a bit farther; the last pixel likewise.
    wanted = np.array([[0, 0], [-0.499, 0], [-0.501, 0], [39.499, 29], [39.501, 29], [39, 29.499], [3.501, 4.499]])
    results['points'] = np.array([[10, (19.5 - u) / 5, (14.5 - v) / 5] for u, v in wanted])
    place, distance = project(results['points'], CAMERA)
    np.testing.assert_allclose(place, wanted, atol=1e-12)
    np.testing.assert_allclose(distance, 10)
    pairs = ProjectPoints()(results)['pairs']
    assert pairs.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [3, 0, 29, 39], [5, 0, 29, 39], [6, 0, 4, 4]]


def test_double_precision_far_from_the_origin():
    # A world frame in which float32 has steps of a quarter of a metre.
    shift = np.eye(4)
    shift[:3, 3] = (-4e6, 3e6, 0)
    points = np.array([[10.0, 1.0, 0.5]]) - shift[:3, 3]
    place, _ = project(points, CAMERA @ shift)
    np.testing.assert_allclose(place, [[19.5 - 5, 14.5 - 2.5]], atol=1e-6)


def test_a_point_in_the_plane_of_the_camera_is_in_no_picture():
    results = sample()
    results['points'] = np.array([[0, 1, 1], [0, 0, 0], [1e-30, 0, 0]], np.float32)
    place, distance = project(results['points'], CAMERA)
    assert np.isnan(place[:2]).all() and (distance[:2] == 0).all()
    assert ProjectPoints()(results)['pairs'].shape == (0, 4)


def test_max_pairs_draws_without_replacement():
    everything = ProjectPoints()(sample())['pairs']
    some = ProjectPoints(max_pairs=20)(sample())['pairs']
    assert len(some) == 20 and set(map(tuple, some)) < set(map(tuple, everything))
    assert some.tolist() == sorted(some.tolist(), key=lambda pair: (pair[1], pair[0]))
    np.testing.assert_array_equal(ProjectPoints(max_pairs=20)(sample())['pairs'], some)
    assert ProjectPoints(max_pairs=20)({**sample(), 'rng': np.random.default_rng(7)})['pairs'].tolist() != some.tolist()
    np.testing.assert_array_equal(ProjectPoints(max_pairs=10_000)(sample())['pairs'], everything)


def marked(results):
    """Pictures whose first channel numbers the columns and whose second the rows, as in the file."""
    height, width = results['images'].shape[1:3]
    results['images'][..., 0], results['images'][..., 1] = np.arange(width), np.arange(height)[:, None]
    return results


@pytest.mark.parametrize('order', ['before', 'after', 'twice'])
def test_pairs_follow_mirrored_pictures(order):
    plain = ProjectPoints()(marked(sample()))
    steps = {
        'before': [RandomFlip(1.0), ProjectPoints()],
        'after': [ProjectPoints(), RandomFlip(1.0)],
        'twice': [RandomFlip(1.0), ProjectPoints(), RandomFlip(1.0)],
    }[order]
    results = marked(sample())
    for step in steps:
        results = step(results)
    assert results['image_flip'].tolist() == [order != 'twice'] * 2
    for (point, view, row, column), (point0, view0, row0, column0) in zip(
        results['pairs'], plain['pairs'], strict=True
    ):
        assert (point, view) == (point0, view0)
        # The pixel shows what the file shows where the point falls.
        assert results['images'][view, row, column, :2].tolist() == [column0, row0]


def test_each_picture_is_mirrored_on_its_own():
    results = RandomFlip(0.5)({**sample(views=3), 'rng': np.random.default_rng(3)})
    assert 0 < results['image_flip'].sum() < 3
    np.testing.assert_array_equal(
        RandomFlip(0.5)({**sample(views=3), 'rng': np.random.default_rng(3)})['images'], results['images']
    )


def test_pairs_follow_resized_pictures_and_refuse_to_be_left_behind():
    results = sample(size=(30, 40))
    expected = {**results, 'images': np.zeros((2, 20, 20, 3), np.uint8), 'image_scale': np.array([[0.5, 2 / 3]] * 2)}
    resized = ResizeImages(20)(dict(results))
    np.testing.assert_allclose(resized['image_scale'], [[0.5, 2 / 3]] * 2)
    assert ProjectPoints()(resized)['pairs'].tolist() == slow_pairs(expected, 1.0)
    with pytest.raises(ValueError, match="ResizeImages would leave the pairs of sample 'made' behind"):
        ResizeImages(20)(ProjectPoints()(results))


def test_pairs_name_rows_so_points_are_chosen_before():
    results = RandomSample(50)(sample())
    pairs = ProjectPoints()(results)['pairs']
    assert len(pairs) and pairs[:, 0].max() < 50 and pairs.tolist() == slow_pairs(results, 1.0)
    for late in (RandomSample(20), CropRange((-5, -5, -5), (5, 5, 5))):
        with pytest.raises(ValueError, match='place ProjectPoints behind every transform that chooses points'):
            late(ProjectPoints()(sample()))


def test_moved_points_hit_the_same_pixels():
    still = ProjectPoints()(sample())['pairs']
    turned = RotateUp(up_axis='z')(sample())
    assert not np.allclose(turned['points'], sample()['points'], atol=1)
    moved = ProjectPoints()(turned)['pairs']
    # Single precision may push a point over the border of a pixel.
    assert len(set(map(tuple, moved)) ^ set(map(tuple, still))) <= 2 < len(still)


def test_pictures_that_were_chosen_keep_their_projection():
    results = PickViews(1, random=False)(sample())
    assert results['image_index'].tolist() == [1]
    assert ProjectPoints()(results)['pairs'].tolist() == slow_pairs(results, 1.0)
    for index in ([0, 5], [0]):
        with pytest.raises(ValueError, match="projections for each of the 2 pictures of sample 'made'"):
            ProjectPoints()({**sample(), 'image_index': np.array(index)})
    with pytest.raises(KeyError, match="ProjectPoints needs 'projections'"):
        ProjectPoints()({key: value for key, value in sample().items() if key != 'projections'})
    with pytest.raises(ValueError, match='min_depth=0'):
        ProjectPoints(min_depth=0)


def test_loaded_pictures_of_another_size_are_paired_in_their_own_pixels(tmp_path):
    # A white pixel block of the file where the point is, at (24..27, 8..11); the picture is loaded at a quarter.
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[8:12, 24:28] = 255
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    camera = np.array([[25.5, -50, 0, 0], [9.5, 0, -50, 0], [1, 0, 0, 0]])
    results = {
        **sample(),
        'points': np.array([[10, 0, 0]], np.float32),
        'projections': camera[None],
        'image_paths': [str(tmp_path / 'a.png')],
    }
    results = ProjectPoints()(LoadImages(num_views=2, size=(8, 16))(results))
    assert results['pairs'].tolist() == [[0, 0, 2, 6]]
    assert results['images'][0, 2, 6].tolist() == [255] * 3 and results['images'].any(axis=-1).sum() == 1


def test_crop_range_keeps_the_rows_of_the_box():
    results = {**sample(), 'intensity': np.arange(400, dtype=np.float32)}
    points = results['points'].copy()
    cut = CropRange((0, -5, -1), (10, 5, 1))(results)
    kept = [k for k, (x, y, z) in enumerate(points) if 0 <= x <= 10 and -5 <= y <= 5 and -1 <= z <= 1]
    assert 0 < len(kept) < 400
    np.testing.assert_array_equal(cut['intensity'], kept)
    np.testing.assert_array_equal(cut['points'], points[kept])
    with pytest.raises(ValueError, match="points of sample 'made' between .* got none: they reach from"):
        CropRange((90, 0, 0), (99, 1, 1))(sample())
    with pytest.raises(ValueError, match='three numbers each, low below high'):
        CropRange((0, 0, 0), (1, 1, 0))


def test_corners_and_poses():
    corners = box_corners(np.array([[10, 20, 1, 4, 2, 1, np.pi / 2]], np.float32))[0]
    # Turned by a quarter, the length lies along y: corner 0 is at the low end of the box's own x, y and z.
    np.testing.assert_allclose(corners[0], [10 + 1, 20 - 2, 0.5], atol=1e-6)
    np.testing.assert_allclose(corners[7], [10 - 1, 20 + 2, 1.5], atol=1e-6)
    np.testing.assert_allclose(corners[4] - corners[0], [0, 4, 0], atol=1e-6)
    assert box_corners(np.zeros((0, 7))).shape == (0, 8, 3)
    half = math.sqrt(0.5)
    matrix = pose_matrix((1, 2, 3), (half, 0, 0, half))  # a quarter turn about z: x becomes y
    np.testing.assert_allclose(matrix @ (1, 0, 0, 1), (1, 3, 3, 1), atol=1e-12)


def test_rows_are_little_endian_everywhere(tmp_path):
    (tmp_path / 'a.bin').write_bytes(b'\x00\x00\x80\x3f\x00\x00\x00\x40')
    assert read_rows(tmp_path / 'a.bin', 2, 'a b').tolist() == [[1.0, 2.0]]


def tool():
    return load_script('tools/visualization/draw_projection.py')


@pytest.mark.parametrize('pipeline', [False, True])
def test_the_tool_draws_a_dot_where_the_point_is(tmp_path, monkeypatch, capsys, pipeline):
    write_frame(tmp_path / 'kitti/training', '000000')
    options = [
        f'train_dataloader.dataset.data_root={tmp_path / "kitti"}',
        'train_dataloader.dataset.pipeline.2.num_points=1',
    ]
    arguments = ['--num', '2', '--width', '0', '--no-boxes', '--out', str(tmp_path / 'out/p.png')]
    arguments += ['--pipeline'] if pipeline else []
    monkeypatch.setattr(
        sys, 'argv', ['x', str(ROOT / 'configs/_base_/datasets/kitti.py'), *arguments, '--cfg-options', *options]
    )
    tool().main()
    assert ('1 points, 1 pairs' if pipeline else '2 points, 2 boxes') in capsys.readouterr().out
    drawn = cv2.imread(str(tmp_path / 'out/p.png'))[..., ::-1]
    place = (930 / 10.01, 500 / 10.01)  # of test_kitti.py
    scale = (4, 3.2) if pipeline else (1, 1)
    column, row = (math.floor((value + 0.5) * factor) for value, factor in zip(place, scale))
    background = [200, 20, 10]
    dots = np.argwhere((np.abs(drawn[:-4].astype(int) - background) > 60).any(axis=-1))
    assert (np.abs(dots - (row, column)) <= 1).all() and [row, column] in dots.tolist()
    assert drawn.shape[:2] == ((196, 640) if pipeline else (64, 160))


def test_the_tool_says_what_it_cannot_draw(tmp_path, monkeypatch):
    from mmpt.utils import ConfigError

    config = tmp_path / 'c.py'
    config.write_text(
        "train_dataloader = dict(dataset=dict(type='SyntheticShapes', kind='composites', size=2, num_points=64))\n"
    )
    monkeypatch.setattr(sys, 'argv', ['x', str(config)])
    with pytest.raises(ConfigError, match="has no 'projections', so there is nothing to draw"):
        tool().main()
    monkeypatch.setattr(sys, 'argv', ['x', str(config), '--split', 'test'])
    with pytest.raises(ConfigError, match='no test_dataloader'):
        tool().main()


def test_pairs_of_a_data_set_do_not_depend_on_the_worker(tmp_path):
    for frame in ('000000', '000001'):
        write_frame(tmp_path / 'kitti/training', frame)
    steps = [{'type': 'LoadImages', 'size': (60, 160)}, {'type': 'RandomFlip'}, {'type': 'ProjectPoints'}]
    data = KITTI(str(tmp_path / 'kitti'), pipeline=steps)
    first, again = data[(4, 1)], KITTI(str(tmp_path / 'kitti'), pipeline=steps)[(4, 1)]
    np.testing.assert_array_equal(first['pairs'], again['pairs'])
    columns = {data[(epoch, 1)]['pairs'][0, 3] for epoch in range(20)}
    assert columns == {93, 159 - 93}
