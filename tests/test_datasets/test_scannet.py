"""ScanNet through the class: converted scenes, MMDetection3D's tree, packed scenes; and what is wrong with files."""

from __future__ import annotations

import builtins
import os
import pickle
import re
import shutil

import numpy as np
import pytest
from _packed import packed_twin
from _scannet import OBJECTS, ROOT, TRAIN, VAL, alignment, convert_here, room, write_release
from mmengine.config import Config

from mmpt.datasets import ScanNet
from mmpt.datasets.scannet_tables import SCANNET18, SCANNET20
from mmpt.registry import DATASETS

#: The ids of ScanNet's own BenchmarkScripts/3d_evaluation/evaluate_semantic_label.py.
BENCHMARK_IDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39]


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    release = tmp_path_factory.mktemp('scannet') / 'raw'
    write_release(release)
    convert_here(release, release.with_name('npz'))
    return release.with_name('npz')


def test_the_20_classes_are_those_of_the_benchmark():
    assert list(SCANNET20.values()) == BENCHMARK_IDS and list(SCANNET18.values()) == BENCHMARK_IDS[2:]
    assert list(SCANNET20)[:2] == ['wall', 'floor'] and list(SCANNET20)[14:16] == ['refrigerator', 'shower curtain']


def test_segmentation_has_the_points_of_the_release_and_20_classes(tree):
    data = ScanNet(str(tree))
    assert [data.load_info(k)['sample_id'] for k in range(len(data))] == TRAIN
    vertices, colors, faces, owner = room()
    sample, align = data[1], alignment(1)
    np.testing.assert_allclose(sample['points'], (vertices - align[:3, 3]) @ align[:3, :3], atol=1e-5)
    np.testing.assert_array_equal(sample['colors'], colors)
    names = [*SCANNET20, None]
    expected = {'office chair': 'chair', 'coffee table': 'table', 'pillow': None, 'trash can': 'otherfurniture'}
    for number, (label, _, _) in enumerate(OBJECTS):
        assert {names[k] for k in sample['semantic'][owner == number]} == {expected.get(label, label)}
    assert (sample['semantic'][owner < 0] == -1).all()
    np.testing.assert_array_equal(sample['instance'], owner)
    assert 'boxes' not in sample and sample['semantic'].dtype == sample['instance'].dtype == np.int64
    assert data.metainfo['classes'] == tuple(SCANNET20) and data.metainfo['up_axis'] == 'z'


@pytest.mark.parametrize('split', ['train', 'val'])
def test_detection_has_the_frame_of_the_room_and_its_boxes(tree, split):
    data = ScanNet(str(tree), split, variant='det18')
    vertices, _, _, owner = room()
    sample = data[0]
    np.testing.assert_allclose(sample['points'], vertices, atol=1e-4)
    wanted = [(label, *box) for label, *box in OBJECTS if label in ('office chair', 'coffee table', 'trash can')]
    classes = {'office chair': 'chair', 'coffee table': 'table', 'trash can': 'otherfurniture'}
    assert [data.metainfo['classes'][k] for k in sample['box_labels']] == [classes[label] for label, _, _ in wanted]
    boxes = np.array([[*centre, *size, 0] for _, centre, size in wanted])
    np.testing.assert_allclose(sample['boxes'], boxes, atol=1e-4)
    assert sample['boxes'].dtype == np.float32 and sample['box_labels'].dtype == np.int64
    assert (sample['semantic'][owner == 0] == -1).all()  # the floor is none of the 18
    assert (sample['semantic'][owner == 1] == list(SCANNET18).index('chair')).all()
    assert data.missing_classes() == tuple(name for name in SCANNET18 if name not in classes.values())
    # Every point of every scene would have to be read for that.
    assert ScanNet(str(tree), split).missing_classes() == ()


def test_the_test_split_has_no_labels(tree):
    data = ScanNet(str(tree), 'test')
    assert len(data) == 1 and set(data[0]) == {
        'sample_id', 'split', 'points', 'colors', 'normals', 'rng', 'index', 'epoch'
    }  # fmt: skip
    assert 'boxes' not in ScanNet(str(tree), 'test', variant='det18')[0]


@pytest.mark.parametrize(
    ('line', 'reason'),
    [('../../etc/passwd', 'refused'), ('/etc/scene0000_00', 'refused'), ('scene0000_00.npz', 'scene0000_00'),
     ('scene0000_00\x00', 'refused'), ('..', 'refused')],
)  # fmt: skip
def test_a_list_cannot_lead_out_of_the_root(tree, tmp_path, line, reason):
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    (tmp_path / 'scannetv2_train.txt').write_text(f'scene0000_00\n\n{line}\n')
    sentence = refuse(ValueError, str(tmp_path))
    assert 'scannetv2_train.txt, line 3' in sentence and reason in sentence


def refuse(kind, *args, **kwargs):
    with pytest.raises(kind) as error:
        ScanNet(*args, **kwargs)[0]
    sentence = str(error.value)
    assert '\n' not in sentence and sentence.endswith('.')
    return sentence


def test_what_is_missing_is_said(tree, tmp_path):
    assert 'docs/datasets/scannet.md' in refuse(FileNotFoundError, str(tmp_path / 'nowhere'))
    assert 'scenes' in refuse(FileNotFoundError, str(tmp_path))
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    (tmp_path / 'scenes' / 'scene0000_00.npz').unlink()
    assert 'scene0000_00.npz' in refuse(FileNotFoundError, str(tmp_path))
    (tmp_path / 'scannetv2_train.txt').write_text('\n')
    assert 'scannetv2_train.txt' in refuse(ValueError, str(tmp_path))
    (tmp_path / 'scannetv2_train.txt').unlink()
    assert 'scannetv2_train.txt' in refuse(FileNotFoundError, str(tmp_path))
    for bad in ({'split': 'trainval'}, {'variant': 'seg200'}, {'layout': 'zip'}):
        assert repr(next(iter(bad.values()))) in refuse(ValueError, str(tmp_path), **bad)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'semantic': np.full(50, 41)}, 'semantic 0 to 40.*41'),
        ({'semantic': np.zeros(49, np.uint8)}, r'semantic \(50,\).*\(49,\)'),
        ({'instance': np.full(50, -2)}, 'instance -1'),
        ({'points': np.full((50, 3), np.nan, np.float32)}, '150 of them NaN'),
        ({'points': np.zeros((50, 6), np.float32)}, r'\(50, 6\)'),
        ({'normals': np.full((50, 3), np.inf, np.float32)}, 'normals'),
        ({'colors': np.full((50, 3), 300)}, 'colors 0 to 255'),
        ({'box_labels': np.full(4, 18)}, 'box_labels -1 to 17'),
        ({'boxes': np.zeros((3, 7), np.float32)}, r'boxes'),
        ({'boxes': np.full((4, 7), np.nan, np.float32)}, 'boxes'),
        ({'semantic': None}, "'semantic'"),
        ({'colors': np.array([{}] * 50, object)}, 'pickled objects'),
    ],
)
def test_a_scene_that_does_not_fit_together_is_named(tree, tmp_path, change, reason):
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    path = tmp_path / 'scenes' / 'scene0000_00.npz'
    arrays = {key: value for key, value in {**np.load(path), **change}.items() if value is not None}
    np.savez(path, **arrays)
    sentence = refuse(ValueError, str(tmp_path), variant='det18')
    assert str(path) in sentence and re.search(reason, sentence)
    path.write_bytes(path.read_bytes()[:-200])
    assert str(path) in refuse(ValueError, str(tmp_path))


def test_opening_reads_no_scene(tree, monkeypatch):
    touched = []
    real_open, stat = builtins.open, os.stat
    monkeypatch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
    monkeypatch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
    ScanNet(str(tree))
    assert not [path for path in touched if path.endswith('.npz')]


@pytest.fixture
def mmdet3d(tree, tmp_path):
    """The tree of MMDetection3D 1.x, made of the same scenes."""
    for folder in ('points', 'instance_mask', 'semantic_mask'):
        (tmp_path / folder).mkdir()
    for split, names in (('train', TRAIN), ('val', VAL)):
        entries = []
        for name in names:
            scene = np.load(tree / 'scenes' / f'{name}.npz')
            np.concatenate([scene['points'], scene['colors']], axis=1, dtype=np.float32).tofile(
                tmp_path / 'points' / f'{name}.bin'
            )
            (scene['instance'].astype(np.int64) + 1).tofile(tmp_path / 'instance_mask' / f'{name}.bin')
            scene['semantic'].astype(np.int64).tofile(tmp_path / 'semantic_mask' / f'{name}.bin')
            boxes = zip(scene['boxes'].tolist(), scene['box_labels'].tolist())
            entries.append(
                {
                    'lidar_points': {'num_pts_feats': 6, 'lidar_path': f'{name}.bin'},
                    'instances': [{'bbox_3d': box[:6], 'bbox_label_3d': label} for box, label in boxes],
                    'pts_semantic_mask_path': f'{name}.bin',
                    'pts_instance_mask_path': f'{name}.bin',
                    'axis_align_matrix': scene['axis_align'].tolist(),
                }
            )
        infos = {'metainfo': {'categories': {}, 'dataset': 'scannet', 'info_version': '1.1'}, 'data_list': entries}
        (tmp_path / f'scannet_infos_{split}.pkl').write_bytes(pickle.dumps(infos))
    return tmp_path


@pytest.mark.parametrize('variant', ['seg20', 'det18'])
def test_the_tree_of_mmdetection3d_gives_the_same_samples(tree, mmdet3d, variant):
    for split in ('train', 'val'):
        ours = ScanNet(str(tree), split, variant=variant)
        theirs = ScanNet(str(mmdet3d), split, variant=variant, layout='mmdet3d')
        assert len(ours) == len(theirs) and ours.missing_classes() == theirs.missing_classes()
        for index in range(len(ours)):
            one, other = ours.load_info(index), theirs.load_info(index)
            one.pop('normals')
            assert one.keys() == other.keys()
            for key, value in one.items():
                np.testing.assert_array_equal(value, other[key], err_msg=key)
                assert getattr(value, 'dtype', None) == getattr(other[key], 'dtype', None)


def change_infos(root, change):
    path = root / 'scannet_infos_train.pkl'
    infos = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(change(infos) or infos))


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda infos: infos['data_list'], "'data_list'"),
        (lambda infos: infos['data_list'][0].pop('lidar_points') and None, "scene 0.*'lidar_points'"),
        (lambda infos: infos['data_list'][1]['instances'][0].update(bbox_3d=[1, 2]), 'scene 1'),
        (lambda infos: infos['data_list'][0].update(axis_align_matrix=[[1, 0], [0, 1]]), 'axis_align_matrix'),
        (lambda infos: infos['data_list'][0]['lidar_points'].update(lidar_path='../secret.bin'), 'refused'),
        (lambda infos: infos['data_list'][0].update(pts_semantic_mask_path='/etc/passwd'), 'refused'),
        (lambda infos: {**infos, 'data_list': [os.system]}, 'nothing in it was run'),
    ],
)
def test_infos_that_are_none_are_named(mmdet3d, change, reason):
    change_infos(mmdet3d, change)
    sentence = refuse(ValueError, str(mmdet3d), layout='mmdet3d')
    assert 'scannet_infos_train.pkl' in sentence and re.search(reason, sentence)


def test_files_of_mmdetection3d_that_do_not_fit_are_named(mmdet3d):
    path = mmdet3d / 'semantic_mask' / 'scene0000_00.bin'
    path.write_bytes(path.read_bytes()[:-8])
    assert str(path) in refuse(ValueError, str(mmdet3d), layout='mmdet3d')
    path.unlink()
    assert str(path) in refuse(FileNotFoundError, str(mmdet3d), layout='mmdet3d')
    path = mmdet3d / 'points' / 'scene0000_00.bin'
    path.write_bytes(path.read_bytes()[:-3])
    assert str(path) in refuse(ValueError, str(mmdet3d), layout='mmdet3d')
    (mmdet3d / 'scannet_infos_train.pkl').unlink()
    assert 'scannet_infos_train.pkl' in refuse(FileNotFoundError, str(mmdet3d), layout='mmdet3d')


@pytest.mark.parametrize('name', ['scannet', 'scannet_det'])
def test_the_shipped_configs(tree, name):
    cfg = Config.fromfile(ROOT / f'configs/_base_/datasets/{name}.py')
    for loader, split in ((cfg.train_dataloader, 'train'), (cfg.val_dataloader, 'val')):
        loader.dataset.data_root = str(tree)
        data = DATASETS.build(loader.dataset)
        sample = data[(0, 0)]
        inputs, answers = sample['inputs']['points'], sample['data_samples']
        assert data.split == split and answers.semantic.shape == inputs.shape[:1] == answers.instance.shape
        if name == 'scannet':
            assert inputs.shape[1] == 9 and 0 <= inputs[:, 3:6].min() <= inputs[:, 3:6].max() <= 1
        else:
            assert inputs.shape[1] == 3 and answers.boxes.shape == (4, 7) and answers.box_labels.shape == (4,)
            # Whatever moved the points moved the boxes: every box still holds the eight corners it was made around.
            centres, sizes, yaw = (
                answers.boxes[:, :3].numpy(),
                answers.boxes[:, 3:6].numpy(),
                answers.boxes[:, 6].numpy(),
            )
            # The vertices of these small scenes come several times.
            points = np.unique(inputs.numpy(), axis=0)
            for centre, size, angle in zip(centres, sizes, yaw):
                turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
                local = points - centre
                local[:, :2] = local[:, :2] @ turn.T
                corners = (np.abs(np.abs(local) - size / 2) < 1e-3).all(axis=1)
                assert corners.sum() == 8


@pytest.mark.parametrize(('variant', 'split'), [('seg20', 'train'), ('det18', 'val'), ('det18', 'test')])
def test_packed_scenes_are_the_same(tree, tmp_path, variant, split):
    raw = ScanNet(str(tree), split, variant=variant)
    packed = packed_twin(tmp_path, type='ScanNet', data_root=str(tree), split=split, variant=variant)
    assert len(raw) == len(packed) and packed.metainfo == raw.metainfo
    for index in range(len(raw)):
        one, other = raw.load_info(index), packed.load_info(index)
        assert one.keys() == other.keys()
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key], err_msg=key)
            assert getattr(value, 'dtype', None) == getattr(other[key], 'dtype', None)
    with pytest.raises(ValueError, match=variant):
        ScanNet(str(tmp_path), split, variant='seg20' if variant == 'det18' else 'det18', packed=True)
