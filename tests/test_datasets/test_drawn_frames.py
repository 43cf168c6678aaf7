"""tools/visualization/draw_projection.py on real frames: dots stand where the frames' own matrices say, and only there.

That they also line up with what the pictures show was seen by eye; docs/datasets/kitti.md and nuscenes.md say on which.
"""

import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from _nuscenes_tree import CHANNELS, write_real_frame
from _nuscenes_tree import REAL as NUSCENES
from test_kitti import DEMO, write_demo_frame
from test_kitti import REAL as KITTI

ROOT = Path(__file__).parents[2]


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Run the tool at the size of the stored pictures; what it writes, in OpenCV's order of colours."""

    def call(config, data_root, num, *options):
        out = tmp_path / 'drawn.png'
        argv = ['draw_projection.py', str(ROOT / config), '--width', '0', '--no-boxes', '--num', num, '--out', str(out)]
        argv += ['--cfg-options', f'train_dataloader.dataset.data_root={data_root}', *options]
        monkeypatch.setattr(sys, 'argv', argv)
        monkeypatch.setattr(sys, 'path', list(sys.path))
        runpy.run_path(str(ROOT / 'tools/visualization/draw_projection.py'))['main']()
        return cv2.imread(str(out))

    return call


def read_points(path, columns):
    """Rows (x, y, z, 1) of a sweep."""
    points = np.fromfile(path, '<f4').reshape(-1, columns)[:, :3].astype(float)
    return np.column_stack([points, np.ones(len(points))])


def check_dots(tile, picture, points, matrix):
    """A picture differs from the stored one around the points that fall into it and nowhere else; how many fall."""
    rows = points @ matrix.T
    rows = rows[rows[:, 2] > 0.5]
    columns, lines = np.floor(rows[:, :2] / rows[:, 2:] + 0.5).astype(int).T
    height, width = picture.shape[:2]
    inside = (columns >= 0) & (columns < width) & (lines >= 0) & (lines < height)
    columns, lines, depth = columns[inside], lines[inside], rows[inside, 2]
    changed = (tile[:height, :width] != picture).any(axis=-1)
    # A dot may have the colour of its place, so not quite all.
    assert changed[lines, columns].mean() > 0.999
    near = np.zeros(changed.shape, np.uint8)
    near[lines, columns] = 1
    # One pixel more: the file's matrices are in single precision, so a point may fall into the next pixel.
    assert not changed[cv2.dilate(near, np.ones((5, 5), np.uint8)) == 0].any()
    # The nearest point lies over all others, and no blue of far ones is in its colour.
    blue, _, red = tile[lines[depth.argmin()], columns[depth.argmin()]]
    assert (blue, red) == (0, 255)
    return len(columns)


def test_the_four_frames_of_kitti(tmp_path, draw):
    facts = write_demo_frame(tmp_path / 'kitti/training')
    for path in KITTI.rglob('*.*'):
        (tmp_path / 'kitti/training' / path.relative_to(KITTI)).symlink_to(path)
    drawn = draw('configs/_base_/datasets/kitti.py', tmp_path / 'kitti', '4')
    top, counts = 0, []
    for frame in ('000000', '000001', '000002', '000008'):
        if frame == '000008':
            sweep, picture = DEMO / f'{frame}.bin', DEMO / f'{frame}.png'
            matrix = np.array(facts['images']['CAM2']['lidar2img'])[:3]
        else:
            sweep, picture = KITTI / f'velodyne/{frame}.bin', KITTI / f'image_2/{frame}.png'
            lines = (line.split() for line in (KITTI / f'calib/{frame}.txt').read_text().splitlines() if line)
            found = {name: np.array(values, float) for name, *values in lines}
            turn, move = np.eye(4), np.eye(4)
            turn[:3, :3], move[:3] = found['R0_rect:'].reshape(3, 3), found['Tr_velo_to_cam:'].reshape(3, 4)
            matrix = found['P2:'].reshape(3, 4) @ turn @ move
        picture = cv2.imread(str(picture))
        counts.append(check_dots(drawn[top:], picture, read_points(sweep, 4), matrix))
        top += len(picture) + 4
    assert drawn.shape == (top, 1242, 3) and min(counts) > 17000


def test_the_six_pictures_of_a_frame_of_nuscenes(tmp_path, draw):
    made, frame, _ = write_real_frame(tmp_path / 'nuscenes')
    options = ('train_dataloader.dataset.version=v1.0-mini',)
    drawn = draw('configs/_base_/datasets/nuscenes.py', made.root, '1', *options)
    assert drawn.shape == (2 * 904, 3 * 1600, 3)
    points, counts = read_points(NUSCENES / frame['lidar_points']['lidar_path'], 5), []
    for number, channel in enumerate(CHANNELS):
        camera = frame['images'][channel]
        tile = drawn[904 * (number // 3) :, 1600 * (number % 3) :]
        matrix = np.array(camera['cam2img']) @ np.array(camera['lidar2cam'])[:3]
        counts.append(check_dots(tile, cv2.imread(str(NUSCENES / camera['img_path'])), points, matrix))
    assert min(counts) > 2000
