"""KITTI in its released layout: a camera with an answer known by hand, lists, damaged files, and real frames."""

import builtins
import json
import os
from pathlib import Path

import numpy as np
import pytest
from _kitti import POINT, RECTIFY, VELO_TO_CAM, numbers, write_kitti
from _packed import packed_twin
from mmengine.config import Config

from mmpt.datasets import KITTI
from mmpt.datasets.lidar import box_corners
from mmpt.datasets.transforms import project
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    return write_kitti(tmp_path)


def test_a_known_point_lands_on_a_known_pixel(root):
    info = KITTI(str(root)).load_info(0)
    np.testing.assert_array_equal(info['points'], np.array([POINT, (-5, 0, 0)], np.float32))
    np.testing.assert_array_equal(info['intensity'], np.array([0.25, 0.99], np.float32))
    assert info['points'].flags.c_contiguous and info['points'].dtype == info['intensity'].dtype == np.float32
    assert info['image_paths'] == [str(root / 'training/image_2/000000.png')]
    assert info['projections'].shape == (1, 3, 4) and info['projections'].dtype == np.float64
    # 10 m in front of the camera, 2 m to its right, 1.2 m above; rectified: 1.2 m to the right, 2 m below.
    place, distance = project(info['points'], info['projections'][0])
    np.testing.assert_allclose(distance[0], 10.01)
    np.testing.assert_allclose(place[0], ((100 * 1.2 + 80 * 10 + 10) / 10.01, (100 * 2 + 30 * 10) / 10.01))
    assert distance[1] < 0


def test_boxes_stand_in_the_frame_of_the_lidar(root):
    data = KITTI(str(root))
    info = data.load_info(0)
    # DontCare is no box.
    assert [data.metainfo['classes'][label] for label in info['box_labels']] == ['Car', 'Cyclist']
    assert info['boxes'].shape == (2, 7) and info['boxes'].dtype == np.float32 and info['box_labels'].dtype == np.int64
    np.testing.assert_allclose(info['boxes'][0, :6], [*POINT, 4.0, 1.6, 1.5], atol=1e-5)
    # The length points from the rectified camera's x by 0.3 towards -z; undo rectification, then the axes.
    along = np.linalg.inv(np.array(RECTIFY)) @ (np.cos(0.3), 0, -np.sin(0.3))
    along = np.array(VELO_TO_CAM)[:, :3].T @ along
    np.testing.assert_allclose(info['boxes'][0, 6], np.arctan2(along[1], along[0]), atol=1e-6)
    assert 'boxes' not in KITTI(str(root), boxes=False).load_info(0)
    assert 'boxes' not in KITTI(str(root), 'testing').load_info(0)


def test_splits_and_lists(root):
    def ids(split):
        data = KITTI(str(root), split)
        assert data.metainfo['split'] == split == data.load_info(0)['split']
        return [data.load_info(k)['sample_id'] for k in range(len(data))]

    assert ids('training') == ['000000', '000003', '000007'] and ids('testing') == ['000000']
    assert ids('train') == ['000007', '000000'] and ids('val') == ['000003']
    with pytest.raises(ValueError, match="'trainval'"):
        KITTI(str(root), 'trainval')
    # One part alone, as somebody unpacked it.
    assert len(KITTI(str(root / 'training'))) == 3
    data = KITTI(str(root))
    assert data.metainfo['up_axis'] == 'z' and data.metainfo['variant'] == 'object' and data.label(0) is None


def test_opening_looks_at_no_frame(root, monkeypatch):
    real_open, touched = builtins.open, []
    monkeypatch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
    stat = os.stat
    monkeypatch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
    KITTI(str(root)), KITTI(str(root), 'train')
    assert touched and not [path for path in touched if '00000' in path]


def refuse(kind, *args, **kwargs):
    with pytest.raises(kind) as error:
        KITTI(*args, **kwargs).load_info(0)
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


def test_missing_pieces_are_said_in_one_sentence(root, tmp_path):
    text = refuse(FileNotFoundError, str(tmp_path / 'nowhere'))
    for part in ('nowhere', 'velodyne', 'cvlibs.net', 'configs/mmpt/pretrain_synthetic.py'):
        assert part in text
    (tmp_path / 'empty').mkdir()
    assert 'empty/training/velodyne' in refuse(FileNotFoundError, str(tmp_path / 'empty'))
    (root / 'ImageSets/val.txt').unlink()
    text = refuse(FileNotFoundError, str(root), 'val')
    assert 'ImageSets/val.txt' in text and "split='training'" in text
    (root / 'ImageSets/train.txt').write_text('000000\n')
    for name, file in (('velodyne', '000000.bin'), ('calib', '000000.txt'), ('label_2', '000000.txt')):
        path = root / 'training' / name / file
        content = path.read_bytes()
        path.unlink()
        assert f'{name}/{file} does not exist' in refuse(FileNotFoundError, str(root), 'train')
        path.write_bytes(content)
    (root / 'training/image_2/000000.png').unlink()
    data = KITTI(str(root), pipeline=[{'type': 'LoadImages', 'size': (60, 160)}])
    with pytest.raises(FileNotFoundError, match=r'image_2/000000\.png'):
        data[0]
    for path in (root / 'testing/velodyne').iterdir():
        path.unlink()
    assert 'testing/velodyne holds no sweep' in refuse(FileNotFoundError, str(root), 'testing')


@pytest.mark.parametrize('line', ['../../secret', '/etc/passwd', '000001.bin', 'a b', '..', '-x'])
def test_a_list_cannot_lead_out_of_the_root(root, line):
    (root / 'ImageSets/train.txt').write_text(f'000000\n{line}\n')
    text = refuse(ValueError, str(root), 'train')
    assert 'train.txt, line 2' in text and 'refused' in text


@pytest.mark.parametrize(
    ('file', 'change', 'reason'),
    [
        ('velodyne/000000.bin', lambda data: data[:-3], '29 bytes, no multiple of the 16 of a row'),
        ('velodyne/000000.bin', lambda data: b'', 'an empty file'),
        ('velodyne/000000.bin', lambda data: np.full(4, np.inf, '<f4').tobytes(), 'NaN or infinity in 1 of 1'),
        ('velodyne/000000.bin', lambda data: b'<!DOCTYPE html><html> no permission </html>', 'a web page'),
        ('calib/000000.txt', lambda data: data.replace(b'P2:', b'P9:'), 'expected a line "P2:" with 12 numbers, got '
         "'none'"),
        ('calib/000000.txt', lambda data: data.replace(b'R0_rect: 0', b'R0_rect: x'), '"R0_rect:" with 9 numbers'),
        ('calib/000000.txt', lambda data: data[: data.index(b'Tr_imu') - 20], '"Tr_velo_to_cam:" with 12 numbers'),
        ('calib/000000.txt', lambda data: b'\xff\xfe\x00', '"P2:" with 12 numbers'),
        ('label_2/000000.txt', lambda data: data.replace(b'Cyclist', b'Unicycle'), 'line 3: expected one of Car, Van'),
        ('label_2/000000.txt', lambda data: data[:-20], 'line 3: expected'),
        ('label_2/000000.txt', lambda data: data.replace(b'45.84', b'nan'), 'line 3: expected'),
    ],
)  # fmt: skip
def test_damaged_files_are_named(root, file, change, reason):
    path = root / 'training' / file
    path.write_bytes(change(path.read_bytes()))
    text = refuse(ValueError, str(root))
    assert str(path) in text and reason in text


def test_a_bad_frame_is_skipped_on_request(root):
    (root / 'training/velodyne/000003.bin').write_bytes(b'123')
    data = KITTI(str(root), on_bad_sample='skip')
    assert data[1]['sample_id'] in ('000000', '000007') and '000003.bin' in data[1]['skipped'][0]


def test_through_the_shipped_config_and_packed(root, tmp_path):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/kitti.py').train_dataloader.dataset
    cfg.update(data_root=str(root))
    cfg.pipeline[2].num_points = 1
    data = DATASETS.build(cfg)
    sample = data[(1, 2)]
    # The only point in front, at its pixel of the picture made (192 - 60) and (640 / 160) times as large.
    np.testing.assert_allclose(sample['inputs']['points'], [[*POINT, 0.25]])
    row, column = np.floor((500 / 10.01 + 0.5) * 3.2), np.floor((930 / 10.01 + 0.5) * 4)
    assert sample['inputs']['pairs'].tolist() == [[0, 0, row, column]]
    assert sample['inputs']['images'].shape == (1, 3, 192, 640)
    assert sample['data_samples'].boxes.shape == (2, 7) and sample['data_samples'].sample_id == '000007'
    packed = packed_twin(tmp_path / 'packed', **cfg)
    assert packed.metainfo == data.metainfo
    for key, value in sample['inputs'].items():
        np.testing.assert_array_equal(value, packed[(1, 2)]['inputs'][key])
    np.testing.assert_array_equal(packed[(1, 2)]['data_samples'].boxes, sample['data_samples'].boxes)


REAL = Path(os.environ.get('MMPT_DATA', '')) / 'lidar_samples/kitti'
DEMO = Path(os.environ.get('MMPT_DATA', '')) / 'lidar_samples/kitti_mmdet3d_demo'


@pytest.fixture
def real():
    if 'MMPT_DATA' not in os.environ or not REAL.is_dir():
        pytest.skip('MMPT_DATA does not lead to lidar_samples/kitti')
    return KITTI(str(REAL))


def flat_boxes(frame):
    """The 2D boxes of a frame's labels: left, top, right, bottom."""
    lines = (REAL / 'label_2' / f'{frame}.txt').read_text().splitlines()
    return [[float(word) for word in line.split()[4:8]] for line in lines if not line.startswith('DontCare')]


def inside_box(points, box):
    """Which points lie in a box."""
    relative = points - box[:3]
    turn = np.array([[np.cos(box[6]), -np.sin(box[6])], [np.sin(box[6]), np.cos(box[6])]])
    own = np.column_stack([relative[:, :2] @ turn, relative[:, 2]])
    return (np.abs(own) <= box[3:6] / 2).all(axis=1)


def test_boxes_of_real_frames_fill_the_2d_boxes_of_the_same_labels(real):
    largest = []
    for number in range(len(real)):
        info = real.load_info(number)
        for corners, bounds in zip(box_corners(info['boxes']), flat_boxes(info['sample_id']), strict=True):
            place, distance = project(corners, info['projections'][0])
            assert (distance > 0).all()
            largest.append(np.abs([*place.min(axis=0), *place.max(axis=0)] - np.array(bounds)).max())
    # Six objects. People redrew some sides by hand: those of the pedestrian, whose box has room for a step.
    assert len(largest) == 6 and np.median(largest) < 1 and max(largest) < 11


def test_points_in_the_boxes_of_real_frames_fall_into_the_2d_boxes(real):
    held = []
    for number in range(len(real)):
        info = real.load_info(number)
        for box, (left, top, right, bottom) in zip(info['boxes'], flat_boxes(info['sample_id']), strict=True):
            place, _ = project(info['points'][inside_box(info['points'], box)], info['projections'][0])
            assert ((place > (left - 3, top - 3)) & (place < (right + 3, bottom + 3))).all()
            held.append(len(place))
            if len(place) > 10:
                assert (np.ptp(place, axis=0) > 0.7 * np.array([right - left, bottom - top])).all()
    # Pedestrian, truck, car at 58 m, cyclist, caravan, car.
    assert held == [377, 72, 9, 18, 1346, 67]


def write_demo_frame(folder):
    """Frame 000008 of MMDetection3D's demo in KITTI's layout, from the facts beside it; returns these."""
    if 'MMPT_DATA' not in os.environ or not DEMO.is_dir():
        pytest.skip('MMPT_DATA does not lead to lidar_samples/kitti_mmdet3d_demo')
    facts = json.loads((DEMO / '000008.json').read_text())['data_list'][0]
    for name in ('velodyne', 'image_2', 'calib', 'label_2'):
        (folder / name).mkdir(parents=True)
    (folder / 'velodyne/000008.bin').symlink_to(DEMO / '000008.bin')
    (folder / 'image_2/000008.png').symlink_to(DEMO / '000008.png')
    matrices = {
        'P2': np.array(facts['images']['CAM2']['cam2img'])[:3],
        'R0_rect': np.array(facts['images']['R0_rect'])[:3, :3],
        'Tr_velo_to_cam': np.array(facts['lidar_points']['Tr_velo_to_cam'])[:3],
    }
    (folder / 'calib/000008.txt').write_text(''.join(f'{key}: {numbers(m)}\n' for key, m in matrices.items()))
    lines = []
    for fact in facts['instances']:
        x, y, z, length, height, width, turn = fact['bbox_3d']
        # All objects of this frame are cars, number 2 of that project's three classes, or regions without a label.
        name = {2: 'Car', -1: 'DontCare'}[fact['bbox_label_3d']]
        size = (height, width, length)
        words = (fact['truncated'], fact['occluded'], fact['alpha'], *fact['bbox'], *size, x, y, z, turn)
        lines.append(f'{name} {" ".join(map(str, words))}\n')
    (folder / 'label_2/000008.txt').write_text(''.join(lines))
    return facts


def test_the_frame_of_the_demo_projects_as_its_own_file_says(tmp_path):
    facts = write_demo_frame(tmp_path / 'training')
    info = KITTI(str(tmp_path)).load_info(0)
    # Its product of the three matrices, in single precision.
    np.testing.assert_allclose(info['projections'][0], np.array(facts['images']['CAM2']['lidar2img'])[:3], atol=1e-4)
    # The sweep was cut to what the camera sees: all but a rim of 29 points falls into the picture of 1242 x 375.
    place, distance = project(info['points'], info['projections'][0])
    inside = ((place >= -0.5) & (place < (1241.5, 374.5))).all(axis=1)
    assert inside.shape == (17238,) and (distance > 0).all() and (~inside).sum() < 30
    cars = [fact for fact in facts['instances'] if fact['bbox_label_3d'] == 2]
    assert info['box_labels'].tolist() == [0] * 6
    for box, fact in zip(info['boxes'], cars, strict=True):
        # That project lifts the middle of a box from its floor along the LiDAR's z, we along the camera's y.
        assert inside_box(info['points'], box).sum() == pytest.approx(fact['num_lidar_pts'], rel=0.08, abs=1)
        place, _ = project(box_corners(box[None])[0], info['projections'][0])
        if fact['truncated'] == 0:
            np.testing.assert_allclose([*place.min(axis=0), *place.max(axis=0)], fact['bbox'], atol=1)
