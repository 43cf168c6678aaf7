"""nuScenes in its released layout: poses with an answer known by hand, the index, and a real key frame."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from _nuscenes_tree import CHANNELS, POINT, write_real_frame, write_release
from _packed import packed_twin
from _scripts import load_script
from mmengine.config import Config

from mmpt.datasets import NuScenes
from mmpt.datasets.lidar import box_corners, rotation_of
from mmpt.datasets.nuscenes import scenes_of
from mmpt.datasets.nuscenes_tables import rows_of
from mmpt.datasets.transforms import project
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def release(tmp_path):
    return write_release(tmp_path)


def open_mini(release, split='train', **kwargs):
    return NuScenes(str(release.root), split, version='v1.0-mini', **kwargs)


def test_a_known_point_lands_on_a_known_pixel(release):
    data = open_mini(release)
    info = data.load_info(0)
    assert (info['sample_id'], info['split']) == ('b', 'train')
    np.testing.assert_array_equal(info['points'], [POINT, (0, -5, 1)])
    np.testing.assert_array_equal(info['intensity'], [7, 255])
    assert info['points'].flags.c_contiguous and info['points'].dtype == np.float32
    assert info['projections'].shape == (6, 3, 4) and info['projections'].dtype == np.float64
    # In front of the vehicle by 12 m, then by 11 m when it has driven 1 m, the camera 1 m ahead of the LiDAR: 10 m.
    # To the right by 2 m, below the camera by 1 m.
    place, distance = project(info['points'], info['projections'][0])
    np.testing.assert_allclose(place[0], (80 + 100 * 2 / 10, 45 + 100 * 1 / 10), atol=1e-9)
    np.testing.assert_allclose(distance, (10, -7), atol=1e-9)
    # The camera at the back, turned by 180 degrees, does not see it; the point behind the vehicle it does.
    place, distance = project(info['points'], info['projections'][3])
    assert distance[0] < 0 < distance[1]
    np.testing.assert_allclose(distance[1], 5 + 1 + 1, atol=1e-9)
    np.testing.assert_allclose(place[1], (80 + 3, 45 - 100 * 1 / 7), atol=1e-9)


def test_the_cameras_come_in_a_fixed_order_clockwise_from_the_front(release):
    info = open_mini(release).load_info(1)
    assert [path.split('/')[-2:] for path in info['image_paths']] == [[channel, 'a.jpg'] for channel in CHANNELS]
    chosen = open_mini(release, cameras=('CAM_BACK', 'CAM_FRONT')).load_info(1)
    assert [Path(path).parent.name for path in chosen['image_paths']] == ['CAM_BACK', 'CAM_FRONT']
    np.testing.assert_array_equal(chosen['projections'], info['projections'][[3, 0]])


def test_boxes_stand_in_the_frame_of_the_sweep(release):
    data = open_mini(release)
    info = data.load_info(0)
    np.testing.assert_allclose(info['boxes'][0], [*POINT, 4.0, 1.8, 1.5, np.pi / 2], atol=1e-5)
    np.testing.assert_allclose(info['boxes'][1], [3, 0, -1, 0.6, 0.3, 0.5, 0], atol=1e-5)
    assert info['boxes'].dtype == np.float32 and info['box_labels'].dtype == np.int64
    assert data.metainfo['classes'][info['box_labels'][0]] == 'car' and info['box_labels'][1] == -1
    assert data.load_info(1)['boxes'].shape == (0, 7)  # annotated, and empty
    np.testing.assert_allclose(data.load_info(2)['boxes'], [[1, 2, 3, 1, 1, 1, 0]], atol=1e-5)
    assert 'boxes' not in open_mini(release, boxes=False).load_info(0)


def test_own_quaternions_are_those_of_scipy():
    from scipy.spatial.transform import Rotation

    turns = Rotation.random(50, random_state=1)
    wxyz = turns.as_quat()[:, [3, 0, 1, 2]]
    np.testing.assert_allclose(rotation_of(1.001 * wxyz), turns.as_matrix(), atol=1e-12)


def test_splits_follow_the_official_lists(release):
    def ids(split, **kwargs):
        data = open_mini(release, split, **kwargs)
        return [data.load_info(k)['sample_id'] for k in range(len(data))]

    # By scene, then by time; only two of the mini version are held out.
    assert ids('train') == ['b', 'a', 'd'] and ids('val') == ['c']
    assert ids('train', scenes=['scene-0103', 'scene-0655']) == ['c', 'd']
    assert ids('train', scene_step=2) == ['d']
    listed = release.root / 'mine.txt'
    listed.write_text('scene-0655\n')
    assert ids('train', scenes=str(listed)) == ['d']
    listed.write_text('scene-0655\nscene-9999\n')
    with pytest.raises(ValueError, match=r"mine\.txt, line 2: .*scene\.json has no 'scene-9999'"):
        open_mini(release, scenes=str(listed))
    with pytest.raises(ValueError, match='v1.0-mini has train and val'):
        open_mini(release, 'test')
    names = [f'scene-{number:04d}' for number in range(1, 1111)]
    held_out = scenes_of('v1.0-trainval', 'val', names)
    assert len(held_out) == 150 and {'scene-0003', 'scene-0103', 'scene-0921', 'scene-1073'} <= set(held_out)
    assert not {'scene-0001', 'scene-0061', 'scene-0918', 'scene-1110'} & set(held_out)
    assert scenes_of('v1.0-mini', 'val', names) == ['scene-0103', 'scene-0916']


def test_point_labels_become_the_16_classes(release):
    with pytest.raises(ValueError, match=r'v1\.0-mini has no lidarseg\.json'):
        open_mini(release, semantic=True)
    folder = release.root / 'lidarseg/v1.0-mini'
    folder.mkdir(parents=True)
    release.tables['lidarseg'] = []
    for token in 'abcd':
        name = f'lidarseg/v1.0-mini/{token}_lidarseg.bin'
        (release.root / name).write_bytes(bytes([4, 0]))
        release.add('lidarseg', token, filename=name, sample_data_token=f'data-{token}-LIDAR_TOP-key')
    release.write()
    data = open_mini(release, semantic=True)
    semantic = data.load_info(0)['semantic']
    assert semantic.dtype == np.int64 and semantic[1] == -1
    assert data.metainfo['classes'][semantic[0]] == 'driveable_surface' and len(data.metainfo['classes']) == 16
    (folder / 'b_lidarseg.bin').write_bytes(bytes([4]))
    with pytest.raises(ValueError, match=r'b_lidarseg\.bin has 1 labels, expected one for each of the 2 points'):
        data.load_info(0)
    (folder / 'b_lidarseg.bin').write_bytes(bytes([4, 99]))
    with pytest.raises(ValueError, match=r'b_lidarseg\.bin holds label 99'):
        data.load_info(0)


def converter():
    return load_script('tools/dataset_converters/nuscenes.py')


def test_the_index_answers_as_the_tables_do(release, monkeypatch, capsys):
    raw = open_mini(release)
    expected = [raw.load_info(k) for k in range(len(raw))]
    monkeypatch.setattr(sys, 'argv', ['nuscenes.py', str(release.root), '--version', 'v1.0-mini'])
    converter().main()
    assert '3 scenes, 4 key frames, 3 boxes' in capsys.readouterr().out
    for name in release.tables:
        (release.root / 'v1.0-mini' / f'{name}.json').unlink()
    (release.root / 'v1.0-mini').rmdir()
    data = open_mini(release)
    assert len(data) == len(expected)
    for k, one in enumerate(expected):
        other = data.load_info(k)
        assert one.keys() == other.keys()
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key])


def test_an_index_of_other_tables_is_refused(release, monkeypatch):
    out = release.root / 'elsewhere.npz'
    monkeypatch.setattr(sys, 'argv', ['x', str(release.root), '--version', 'v1.0-mini', '--out', str(out)])
    converter().main()
    assert len(open_mini(release, index=str(out))) == 3
    release.scene('scene-0916')
    release.write()
    with pytest.raises(ValueError, match=r'elsewhere\.npz was made from other tables .* run `python .*nuscenes\.py'):
        open_mini(release, index=str(out))
    out.write_bytes(out.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r'elsewhere\.npz'):
        open_mini(release, index=str(out))


def test_large_tables_ask_for_the_index(release):
    path = release.root / 'v1.0-mini/sample_data.json'
    with path.open('r+b') as file:
        file.truncate(65 * 2**20)
    with pytest.raises(ValueError, match=r'sample_data\.json has 65 MiB.*run `python tools/dataset_converters'):
        open_mini(release)


def test_tables_are_read_in_pieces(tmp_path, monkeypatch):
    from mmpt.datasets import nuscenes_tables

    rows = [{'token': f'{k}', 'text': 'a ] } , "' * (k % 7), 'list': [k, [k]]} for k in range(300)]
    path = tmp_path / 'table.json'
    path.write_text(json.dumps(rows, indent=1))
    for chunk in (1, 7, 100, 2**22):
        monkeypatch.setattr(nuscenes_tables, '_CHUNK', chunk)
        assert list(rows_of(path)) == rows
    for text, reason in (
        (json.dumps(rows)[:-30], 'row 300 cannot be read; the table is cut off'),
        ('[{"token": 1}, {"token": nonsense}]', 'row 2 cannot be read'),
        ('{"token": 1}', 'expected a JSON list'),
        ('', 'expected a JSON list'),
        ('[1, 2]', 'expected an object as row 1'),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=reason) as error:
            list(rows_of(path))
        assert str(path) in str(error.value) and '\n' not in str(error.value)


def drop(release, table, token):
    release.tables[table] = [row for row in release.tables[table] if row['token'] != token]


@pytest.mark.parametrize(
    ('break_it', 'reason'),
    [
        (lambda r: drop(r, 'ego_pose', 'pose-a-CAM_BACK-key'), r"sample_data\.json names 'pose-a-CAM_BACK-key', which "
         r'.*ego_pose\.json does not have'),
        (lambda r: drop(r, 'calibrated_sensor', 'cs-a-LIDAR_TOP-key'), r'calibrated_sensor\.json does not have'),
        (lambda r: drop(r, 'sample_data', 'data-a-CAM_BACK-key'), r'sample_data\.json has no key frame of CAM_BACK for '
         'sample a'),
        (lambda r: drop(r, 'scene', 'token-scene-0103'), r"sample\.json names 'token-scene-0103'"),
        (lambda r: drop(r, 'instance', 'instance-0'), r"sample_annotation\.json names 'instance-0'"),
        (lambda r: r.tables['sample_data'][0].pop('filename'), r"sample_data\.json: row \d+ has no 'filename'"),
        (lambda r: r.tables['ego_pose'][0].update(rotation=[1, 0, 0]), r'ego_pose\.json: expected numbers'),
        (lambda r: r.tables['calibrated_sensor'][1].update(camera_intrinsic=[]), r'calibrated_sensor\.json: expected'),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_together_are_named(release, break_it, reason):
    break_it(release)
    release.write()
    with pytest.raises(ValueError, match=reason) as error:
        open_mini(release)
    assert '\n' not in str(error.value)


def test_missing_and_damaged_files_are_named(release, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r'nowhere is not a folder .*nuscenes\.org/download.*pretrain_synthetic'
    ):
        NuScenes(str(tmp_path / 'nowhere'))
    with pytest.raises(FileNotFoundError, match=r'v1\.0-trainval/sample_data\.json does not exist'):
        NuScenes(str(release.root))
    data = open_mini(release, pipeline=[{'type': 'LoadImages', 'num_views': 6, 'size': (90, 160)}])
    sweep = release.root / 'samples/LIDAR_TOP/b.pcd.bin'
    whole = sweep.read_bytes()
    sweep.write_bytes(whole[:-4])
    with pytest.raises(ValueError, match=r'b\.pcd\.bin.* 36 bytes, no multiple of the 20'):
        data[0]
    sweep.write_bytes(np.array([[np.nan, 0, 0, 0, 0]], '<f4').tobytes())
    with pytest.raises(ValueError, match=r'b\.pcd\.bin.*NaN or infinity in 1 of 1'):
        data[0]
    sweep.unlink()
    with pytest.raises(FileNotFoundError, match=r'b\.pcd\.bin does not exist'):
        data[0]
    sweep.write_bytes(whole)
    (release.root / 'samples/CAM_BACK/b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'CAM_BACK/b\.jpg'):
        data[0]
    release.tables['sample_data'][0]['filename'] = '../../secret.pcd.bin'
    release.write()
    with pytest.raises(ValueError, match=r'sample_data\.json of v1\.0-mini names .*refused'):
        open_mini(release).load_info(0)


def test_no_frame_is_looked_at_before_it_is_asked_for(release):
    for path in (release.root / 'samples').rglob('*.*'):
        path.unlink()
    assert len(open_mini(release)) == 3


def test_through_the_shipped_config_and_packed(release, tmp_path):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/nuscenes.py').train_dataloader.dataset
    cfg.update(data_root=str(release.root), version='v1.0-mini')
    cfg.pipeline[1].num_points = 2
    data = DATASETS.build(cfg)
    sample = data[(3, 0)]
    assert sample['inputs']['points'].shape == (2, 4) and sample['inputs']['images'].shape == (6, 3, 224, 416)
    assert sample['inputs']['pairs'].shape[1] == 4 and len(sample['inputs']['pairs']) >= 2
    assert data.metainfo['up_axis'] == 'z' and data.metainfo['variant'] == 'v1.0-mini'
    assert data.metainfo['feature_keys'] == ('intensity',)
    packed = packed_twin(tmp_path / 'packed', **cfg)
    for key, value in sample['inputs'].items():
        np.testing.assert_array_equal(value, packed[(3, 0)]['inputs'][key])
    np.testing.assert_array_equal(packed[(3, 0)]['data_samples'].boxes, sample['data_samples'].boxes)


@pytest.fixture
def real(tmp_path):
    """The real key frame of the samples as a release of its own."""
    return write_real_frame(tmp_path / 'real')


def test_a_real_frame_projects_as_its_own_file_says(real):
    made, frame, names = real
    data = open_mini(made)
    info = data.load_info(0)
    assert info['points'].shape == (34688, 3)
    for channel, projection in zip(CHANNELS, info['projections']):
        camera = frame['images'][channel]
        stored = np.array(camera['cam2img']) @ np.array(camera['lidar2cam'])[:3]
        # The file's matrices are in single precision.
        np.testing.assert_allclose(projection, stored, atol=2e-2, rtol=1e-5)
    # Without the motion between sweep and picture the front camera would be off by pixels.
    front = frame['images']['CAM_FRONT']
    still = np.linalg.inv(front['cam2ego']) @ np.array(frame['lidar_points']['lidar2ego'])
    still = np.array(front['cam2img']) @ still[:3]
    near = info['points'][np.linalg.norm(info['points'], axis=1) < 15]
    place, distance = project(near, info['projections'][0])
    other, _ = project(near, still)
    seen = (distance > 1) & ((place >= 0) & (place < (1600, 900))).all(axis=1)
    assert np.median(np.abs(place[seen] - other[seen]).max(axis=1)) > 5
    assert [data.metainfo['classes'][label] for label in info['box_labels']] == [
        names[box['bbox_label_3d']] for box in frame['instances']
    ]


def test_boxes_of_a_real_frame_hold_the_points_and_fill_the_2d_boxes_that_they_should(real):
    made, frame, _ = real
    info = open_mini(made).load_info(0)
    for box, fact in zip(info['boxes'], frame['instances']):
        relative = info['points'] - box[:3]
        turn = np.array([[np.cos(box[6]), -np.sin(box[6])], [np.sin(box[6]), np.cos(box[6])]])
        own = np.column_stack([relative[:, :2] @ turn, relative[:, 2]])
        held = (np.abs(own) <= box[3:6] / 2).all(axis=1).sum()
        assert abs(held - fact['num_lidar_pts']) <= max(2, 0.1 * fact['num_lidar_pts'])
    off = []
    for channel, projection in zip(CHANNELS, info['projections']):
        wholly = []
        for corners in box_corners(info['boxes']):
            place, distance = project(corners, projection)
            if (distance > 0.5).all() and (place > 0).all() and (place < (1599, 899)).all():
                wholly.append([*place.min(axis=0), *place.max(axis=0)])
        for fact in frame['cam_instances'][channel]:
            left, top, right, bottom = fact['bbox']
            if left > 1 and top > 1 and right < 1598 and bottom < 898:
                off.append(np.abs(np.array(wholly) - fact['bbox']).max(axis=1).min())
                assert off[-1] < max(4, 0.06 * max(right - left, bottom - top))
    # Pixels of 1600: the annotations lean with the road, boxes of a sample stand upright in the frame of the LiDAR.
    assert len(off) > 40 and np.median(off) < 1.5
