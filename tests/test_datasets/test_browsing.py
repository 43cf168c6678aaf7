"""What a contact sheet shows of a sample, seen from its pixels."""

import cv2
import numpy as np
import pytest

from mmpt.datasets import PointCloudDataset
from mmpt.datasets.browsing import TILE, browsing_steps, choose_shapes, draw_sample, sample_title
from mmpt.datasets.transforms import (
    LoadImages,
    LoadPoints,
    MultiView,
    PackInputs,
    RandomSample,
    RotateUp,
    SampleSurface,
    build_pipeline,
)
from mmpt.visualization import SheetItem, save_sheet

RED, GREEN, BLUE = np.array([[230, 30, 30], [30, 230, 30], [30, 30, 230]], np.uint8)


def ball(num=1500, seed=0):
    points = np.random.default_rng(seed).normal(size=(num, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def share(tile, color, margin=60):
    """Of the drawn pixels, how many have about this hue."""
    drawn = tile[(tile < 250).any(axis=-1)].astype(float)
    drawn /= drawn.max(axis=1, keepdims=True)
    wanted = np.asarray(color, float) / max(color)
    return float((abs(drawn - wanted).max(axis=1) < margin / 255).mean())


def test_points_are_shown_in_their_colours():
    points = ball()
    colors = np.where(points[:, 1:2] > 0, RED, BLUE).astype(np.uint8)
    tiles = draw_sample({'points': points, 'normals': points, 'colors': colors}, 'y')
    assert len(tiles) == 4 and all(tile.shape == (TILE, TILE, 3) for tile in tiles)
    front = tiles[1]
    assert share(front[: TILE // 2 - 15], RED) > 0.8 and share(front[TILE // 2 + 15 :], BLUE) > 0.8


def test_labels_take_over_two_sides_where_there_are_colours_too():
    points = ball()
    results = {'points': points, 'normals': points, 'colors': np.tile(RED, (len(points), 1))}
    parts = np.where(points[:, 1] > 0, 0, -1)
    reds = [share(tile, RED) > 0.8 for tile in draw_sample({**results, 'parts': parts}, 'y')]
    assert reds == [True, True, False, False]
    labelled = draw_sample({'points': points, 'normals': points, 'semantic': parts}, 'y')[1]
    assert share(labelled[: TILE // 3], (115, 166, 230), 40) > 0.7, 'the first colour of labels'
    assert share(labelled[-TILE // 3 :], (200, 200, 200), 15) > 0.7, 'no label is grey'


def test_a_scene_is_seen_from_above_without_its_ceiling():
    """z up, metres, with a far outlier: the floor in its colour fills the first picture."""
    rng = np.random.default_rng(0)
    floor, ceiling = (np.c_[rng.uniform(0, 6, (4000, 2)), np.full(4000, height)] for height in (0.0, 2.7))
    points = np.concatenate([floor, ceiling, [[500.0, 0, 0]]]).astype(np.float32)
    colors = np.concatenate([np.tile(GREEN, (4000, 1)), np.tile(RED, (4001, 1))])
    above = draw_sample({'points': points, 'colors': colors}, 'z')[0]
    assert share(above, GREEN) > 0.9 and (above < 250).any(axis=-1).mean() > 0.2
    plain = draw_sample({'points': points, 'intensity': rng.random(8001).astype(np.float32)}, 'z')
    assert np.ptp(plain[3].reshape(-1, 3)[(plain[3] < 250).any(axis=-1).ravel()], axis=1).max() < 12, (
        'intensity is grey'
    )
    assert share(plain[0], (64, 115, 217), 40) > 0.5, 'the floor is as blue as the lowest height'


def test_many_points_are_thinned_out():
    results = {'points': ball(200_000), 'parts': np.zeros(200_000, int)}
    tiles = draw_sample(results, 'y')
    assert len(results['points']) == 200_000 and (tiles[0] < 250).any(axis=-1).mean() > 0.2


def test_a_partial_cloud_is_drawn_on_the_complete_one():
    whole = ball(2000)
    part = whole[whole[:, 0] > 0.3]
    for results in ({'points': part, 'complete': whole}, {'partials': [part], 'complete': whole}):
        tiles = draw_sample(results, 'y')
        assert len(tiles) == 4
        assert 0.1 < share(tiles[2], (242, 128, 51), 50) < 0.9 and share(tiles[3], (242, 128, 51), 50) == 0


def test_a_mesh_is_sampled_to_be_drawn():
    vertices = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    faces = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6]])
    tiles = draw_sample({'vertices': vertices, 'faces': faces, 'sample_id': 'box'}, 'y')
    assert min((tile < 250).any(axis=-1).mean() for tile in tiles) > 0.1


def test_further_views_have_a_tile_each():
    results = MultiView([[], [RotateUp()], [RandomSample(300)]])(
        {'points': ball(), 'sample_id': 'b', 'rng': np.random.default_rng(0)}
    )
    assert len(draw_sample(results, 'y')) == 6


def test_pictures_keep_their_shape_and_show_the_paired_points():
    images = np.full((2, 60, 120, 3), 250, np.uint8)
    images[1] = 0
    results = {'points': ball(50), 'images': images, 'has_image': np.array([True, False])}
    (plain,) = draw_sample(results, 'y')[4:]
    assert plain.shape == (TILE, 2 * (TILE - 4) + 4, 3)
    rows = np.arange(50)
    pairs = np.stack([rows, rows * 0, rows, 2 * rows], axis=1)
    (dotted,) = draw_sample({**results, 'pairs': pairs}, 'y')[4:]
    changed = np.argwhere((dotted != plain).any(axis=-1)) - 2
    assert 40 <= len(changed) <= 50
    np.testing.assert_allclose(2 * changed[:, 0], changed[:, 1], atol=3)


def test_titles_have_class_identity_and_caption():
    assert sample_title({'sample_id': 'a-1'}) == 'a-1'
    results = {'sample_id': 'a-1', 'class_name': 'chair', 'caption': 'a red chair'}
    assert sample_title(results) == 'chair  (a-1): a red chair'


class Labelled(PointCloudDataset):
    def __init__(self, labels, classes):
        self.labels = labels
        super().__init__(metainfo={'classes': classes})

    def num_shapes(self):
        return len(self.labels)

    def label(self, index):
        return self.labels[index]


def test_one_of_each_class_and_then_a_second():
    data = Labelled([0] * 50 + [1, 2, None, 1, 7], ('a', 'b', 'c'))
    places, sizes = choose_shapes([data], 7)
    assert [data.labels[position] for _, position in places] == [0, 1, 2, 7, None, 0, 1]
    assert sizes == {'a': 50, 'b': 2, 'c': 1, 'unknown class 7': 1, 'no class': 1}
    plain = Labelled([None] * 9, None)
    assert [position for _, position in choose_shapes([plain], 3)[0]] == [0, 4, 8]


@pytest.mark.parametrize(('raw', 'kept'), [(True, [0, 1, 3]), (False, [0, 1, 2, 3])])
def test_steps_that_are_browsed(raw, kept):
    steps = build_pipeline([LoadPoints(), SampleSurface(64), RotateUp(), LoadImages(), PackInputs()])
    assert browsing_steps(steps, raw) == [steps[k] for k in kept]


def test_a_sheet_holds_strips_of_any_width(tmp_path):
    tiles = [np.full((50, width, 3), RED, np.uint8) for width in (50, 90)]
    items = [SheetItem('a $ in a title', tiles), SheetItem('long ' * 60, tiles[:1]), SheetItem('c', tiles[:1])]
    save_sheet(items, tmp_path / 'new' / 'sheet.png')
    sheet = cv2.imread(str(tmp_path / 'new' / 'sheet.png'))[..., ::-1]
    assert sheet.shape == (2 * 72, 2 * 152, 3)
    red = (sheet == RED).all(axis=-1)
    assert red[22:72, :140].all() and red[22:72, 152:202].all() and not red[22:72, 202:].any() and red[94:, :50].all()
    assert (sheet[:22, 152:292] < 200).any(), 'a title'
    with pytest.raises(ValueError, match='at least one shape'):
        save_sheet([], tmp_path / 'none.png')
