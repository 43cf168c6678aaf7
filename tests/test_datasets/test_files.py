"""Data sets of files: ShapeNet-55 in exactly its released layout, npz files, several in a row."""

import builtins
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

import mmpt.datasets  # noqa: F401  (registers)
from mmpt.datasets import ConcatDataset, NpzShapes, PointCloudDataset, ShapeNet
from mmpt.datasets.shapenet import SYNSETS
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]
MODEL = '1a04e3eab45ca15dd86060f189eb133'
TRAIN = [f'02691156-{MODEL}', '02691156-u6c0d2e45-3c59-4a32', '03001627-aa', '03001627-bb']
TEST = ['02691156-cc', '04379243-dd']


@pytest.fixture
def tree(tmp_path):
    """ShapeNet55-34 and ShapeNetRendering as they are released; two of the train shapes have pictures."""
    root, images = tmp_path / 'ShapeNet55-34', tmp_path / 'ShapeNetRendering'
    (root / 'ShapeNet-55').mkdir(parents=True)
    (root / 'shapenet_pc').mkdir()
    for name, stems in (('train', TRAIN), ('test', TEST)):
        (root / 'ShapeNet-55' / f'{name}.txt').write_text(''.join(f'{stem}.npy\n' for stem in stems))
        for number, stem in enumerate(stems):
            cloud = np.random.default_rng(number).normal(number, 1, (8192, 3))
            np.save(root / 'shapenet_pc' / f'{stem}.npy', cloud.astype(np.float32))
    for stem in (TRAIN[0], TRAIN[2]):
        folder = images / stem.split('-', 1)[0] / stem.split('-', 1)[1] / 'rendering'
        folder.mkdir(parents=True)
        (folder / 'rendering_metadata.txt').write_text('0 30 0 0.8 25\n')
        (folder / 'renderings.txt').write_text('00.png\n')
        for view in range(24):
            picture = np.full((137, 137, 4), (10, 20, 200 + view, 255), np.uint8)
            picture[:20] = 0
            cv2.imwrite(str(folder / f'{view:02d}.png'), picture)
    return root, images


PIPELINE = [
    {'type': 'LoadPoints'},
    {'type': 'LoadImages', 'size': 32},
    {'type': 'RandomSample', 'num_points': 1024},
    {'type': 'UnitSphere'},
    {'type': 'ScaleAndTranslate'},
    {'type': 'PackInputs', 'image_views': 1, 'image_size': 32},
]


def test_the_synset_table_is_that_of_the_release():
    assert len(SYNSETS) == len(set(SYNSETS.values())) == 55
    assert SYNSETS['02691156'] == 'airplane' and SYNSETS['04379243'] == 'table'


def test_shapenet_reads_the_release_and_joins_the_pictures(tree):
    data = ShapeNet(str(tree[0]), 'train', images_root=str(tree[1]), pipeline=PIPELINE)
    assert len(data) == 4
    samples = [data[(3, index)] for index in range(4)]
    assert [bool(sample['inputs']['has_image']) for sample in samples] == [True, False, True, False]
    for stem, sample in zip(TRAIN, samples):
        points, images = sample['inputs']['points'], sample['inputs']['images']
        assert points.shape == (1024, 3) and images.shape == (1, 3, 32, 32)
        assert sample['data_samples'].sample_id == stem
        assert (sample['data_samples'].split, sample['data_samples'].epoch) == ('train', 3)
        assert sample['data_samples'].class_name == SYNSETS[stem[:8]]
        assert data.metainfo['classes'][sample['data_samples'].label] == sample['data_samples'].class_name
    first = samples[0]['inputs']['images'][0]
    assert 200 <= first[0, 16, 16] < 224 and first[2, 16, 16] == 10  # RGB, from some view
    assert (first[:, 0] == 255).all()  # transparent pixels lie on white
    assert not samples[1]['inputs']['images'].any()
    assert data.metainfo['variant'] == 'ShapeNet-55' and data.metainfo['normalize'] == 'unit_sphere'
    assert data.metainfo['split'] == 'train' and data.metainfo['up_axis'] == 'y'


def test_shapenet_points_come_from_the_file_and_change_with_the_epoch(tree):
    raw = [{'type': 'LoadPoints'}, {'type': 'RandomSample', 'num_points': 1024}, {'type': 'PackInputs'}]
    data = ShapeNet(str(tree[0]), pipeline=raw)
    stored = {tuple(row) for row in np.load(tree[0] / 'shapenet_pc' / f'{TRAIN[1]}.npy').tolist()}
    one, again, later = (data[key]['inputs']['points'] for key in (1, (0, 1), (1, 1)))
    assert {tuple(row) for row in one.tolist()} <= stored
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, later)
    assert data.metainfo['normalize'] == 'none'


def test_shapenet_splits(tree):
    assert len(ShapeNet(str(tree[0]), 'test')) == 2
    whole = ShapeNet(str(tree[0]), 'whole')
    infos = [whole.load_info(index) for index in range(len(whole))]
    assert [info['sample_id'] for info in infos] == TEST + TRAIN
    assert [info['split'] for info in infos] == ['test'] * 2 + ['train'] * 4
    with pytest.raises(ValueError, match="'whole'"):
        ShapeNet(str(tree[0]), 'val')


def test_shapenet_takes_the_views_that_are_asked_for(tree):
    data = ShapeNet(str(tree[0]), images_root=str(tree[1]), views=(2, 23))
    assert [os.path.basename(path) for path in data.load_info(0)['image_paths']] == ['02.png', '23.png']
    assert data.load_info(1)['image_paths'] == []


def test_shapenet_opens_without_looking_at_single_shapes(tree, monkeypatch):
    touched = []
    listdir, real_open, stat = os.listdir, builtins.open, os.stat
    monkeypatch.setattr(os, 'listdir', lambda path='.': touched.append(str(path)) or listdir(path))
    monkeypatch.setattr(os, 'scandir', lambda path='.': pytest.fail(f'walked {path}'))
    monkeypatch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
    monkeypatch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
    ShapeNet(str(tree[0]), images_root=str(tree[1]), pipeline=PIPELINE)
    assert not [path for path in touched if MODEL in path]
    assert touched.count(str(tree[1])) <= 2  # looked at once, listed once


def refuse(kind, **kwargs):
    with pytest.raises(kind) as error:
        ShapeNet(**kwargs)
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


def test_missing_pieces_of_shapenet_are_said_in_one_sentence(tree, tmp_path):
    root, images = map(str, tree)
    text = refuse(FileNotFoundError, data_root=str(tmp_path / 'nowhere'))
    for part in (
        'nowhere',
        'ShapeNet-55/{train,test}.txt',
        'Point-BERT',
        '3D-R2N2',
        'configs/mmpt/pretrain_synthetic.py',
    ):
        assert part in text
    assert 'rendering/NN.png' in refuse(FileNotFoundError, data_root=root, images_root=str(tmp_path / 'no_images'))
    (tmp_path / 'empty').mkdir()
    assert 'no shape would have' in refuse(FileNotFoundError, data_root=root, images_root=str(tmp_path / 'empty'))
    (tree[0] / 'ShapeNet-55' / 'test.txt').write_text('\n')
    assert 'is empty, expected' in refuse(ValueError, data_root=root, split='test')
    (tree[0] / 'ShapeNet-55' / 'test.txt').unlink()
    assert 'test.txt' in refuse(FileNotFoundError, data_root=root, split='test')
    (tree[0] / 'shapenet_pc' / f'{TRAIN[1]}.npy').unlink()
    with pytest.raises(FileNotFoundError, match=TRAIN[1]):
        ShapeNet(root, pipeline=PIPELINE)[1]
    shutil.rmtree(tree[0] / 'shapenet_pc')
    assert 'shapenet_pc' in refuse(FileNotFoundError, data_root=root, images_root=images)


@pytest.mark.parametrize(
    'line',
    ['../../secret-a.npy', '/etc/secret-a.npy', '02691156-../../a.npy', '02691156-..npy', '02691156-...npy',
     'a\\..\\b-c.npy', '02691156-a', '02691156.npy', '..-a.npy', '02691156-a\x00.npy'],
)  # fmt: skip
def test_a_list_cannot_lead_out_of_the_root(tree, line):
    path = tree[0] / 'ShapeNet-55' / 'train.txt'
    path.write_text(path.read_text() + line + '\n')
    text = refuse(ValueError, data_root=str(tree[0]))
    assert 'train.txt, line 5' in text and 'refused' in text


def test_shapenet_through_the_shipped_config(tree):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/shapenet.py').train_dataloader.dataset
    cfg.update(data_root=str(tree[0]), images_root=str(tree[1]))
    sample = DATASETS.build(cfg)[(0, 2)]
    assert sample['inputs']['points'].shape == (1024, 3)
    assert sample['inputs']['images'].shape == (1, 3, 224, 224) and bool(sample['inputs']['has_image'])


@pytest.fixture
def npz(tmp_path):
    arrays = {}
    for split, count in (('train', 6), ('test', 4)):
        arrays[f'points_{split}'] = np.random.default_rng(count).standard_normal((count, 20, 3)).astype(np.float16)
        arrays[f'labels_{split}'] = (np.arange(count) % 2).astype(np.uint8)
        arrays[f'ids_{split}'] = np.array([f'{split}_{k:04d}' for k in range(count)])
    arrays.update(class_names=np.array(['bed', 'chair']), dup_test=np.array([0, 1, 0, 0], bool))
    np.savez(tmp_path / 'rooms.npz', **arrays)
    return str(tmp_path / 'rooms.npz'), arrays


def test_npz_turns_z_up_to_y_up(npz):
    path, arrays = npz
    upright, turned = NpzShapes(path, 'train', 'y'), NpzShapes(path, 'train', 'z')
    stored = arrays['points_train'][3].astype(np.float32)
    np.testing.assert_array_equal(upright[3]['points'], stored)
    rotation = np.linalg.lstsq(stored, turned[3]['points'], rcond=None)[0].T
    np.testing.assert_allclose(rotation @ [0, 0, 1], [0, 1, 0], atol=1e-6)  # up stays up
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-5)  # and nothing is mirrored
    assert turned.metainfo['up_axis'] == upright.metainfo['up_axis'] == 'y'
    assert turned.metainfo['classes'] == ('bed', 'chair') and turned.metainfo['variant'] == 'rooms'
    assert turned[3]['class_name'] == 'chair' and turned[3]['sample_id'] == 'train/train_0003'
    assert turned[3]['points'].dtype == np.float32


def test_npz_leaves_duplicates_out_on_request(npz):
    assert len(NpzShapes(npz[0], 'test')) == 4
    data = NpzShapes(npz[0], 'test', drop_duplicates=True)
    assert [data[k]['sample_id'] for k in range(3)] == ['test/test_0000', 'test/test_0002', 'test/test_0003']


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'labels_train': np.array([0, 1, 0, 1, 0, 2])}, 'labels from 0 to 1'),
        ({'labels_train': np.zeros(5, int)}, 'one label'),
        ({'points_train': np.zeros((6, 20, 6))}, r'\(6, 20, 6\)'),
        ({'class_names': np.array([{}], dtype=object)}, 'plain arrays'),
        ({'points_train': None}, 'points_train'),
    ],
)
def test_npz_refuses_what_it_cannot_read(npz, tmp_path, change, reason):
    arrays = {key: value for key, value in {**npz[1], **change}.items() if value is not None}
    np.savez(tmp_path / 'bad.npz', **arrays)
    with pytest.raises(ValueError, match=reason) as error:
        NpzShapes(str(tmp_path / 'bad.npz'))
    assert 'bad.npz' in str(error.value) and '\n' not in str(error.value)


def test_npz_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.npz'):
        NpzShapes(str(tmp_path / 'gone.npz'))
    np.savez(tmp_path / 'whole.npz', points_train=np.zeros((2, 5, 3)))
    np.save(tmp_path / 'array.npy', np.zeros(3))
    contents = [b'hello', b'', (tmp_path / 'whole.npz').read_bytes()[:-40], (tmp_path / 'array.npy').read_bytes()]
    for content in contents:
        (tmp_path / 'bad.npz').write_bytes(content)
        with pytest.raises(ValueError, match=r'bad\.npz: expected a \.npz file of plain arrays'):
            NpzShapes(str(tmp_path / 'bad.npz'))


def test_nan_in_memory_is_named_before_the_pipeline(npz, tmp_path):
    points = npz[1]['points_train'].copy()
    points[2, 5, 0] = np.nan
    np.savez(tmp_path / 'nan.npz', **{**npz[1], 'points_train': points})
    data = NpzShapes(str(tmp_path / 'nan.npz'))
    with pytest.raises(ValueError, match='train/train_0002'):
        data[2]


def test_concat_reports_the_parts_split_and_its_own_index(npz):
    path = npz[0]
    both = ConcatDataset([{'type': 'NpzShapes', 'path': path, 'split': split} for split in ('train', 'test')])
    assert len(both) == 10
    samples = [both[(1, index)] for index in range(10)]
    assert [sample['split'] for sample in samples] == ['train'] * 6 + ['test'] * 4
    assert [sample['index'] for sample in samples] == list(range(10))
    assert len({sample['sample_id'] for sample in samples}) == 10
    assert {sample['epoch'] for sample in samples} == {1}
    np.testing.assert_array_equal(both[7]['points'], NpzShapes(path, 'test')[1]['points'])
    assert both.metainfo['split'] == ('train', 'test') and both.metainfo['classes'] == ('bed', 'chair')
    with pytest.raises(IndexError):
        both[10]


def test_concat_refuses_other_classes(npz, tmp_path):
    np.savez(tmp_path / 'other.npz', **{**npz[1], 'class_names': np.array(['sofa', 'chair'])})
    with pytest.raises(ValueError, match="'sofa'"):
        ConcatDataset([NpzShapes(npz[0]), NpzShapes(str(tmp_path / 'other.npz'))])


def test_indices_choose_shapes_that_keep_their_draws(npz):
    pipeline = [{'type': 'RandomSample', 'num_points': 10}]
    whole = NpzShapes(npz[0], pipeline=pipeline)
    some = NpzShapes(npz[0], pipeline=pipeline, indices=[4, 1])
    assert len(some) == 2 and len(NpzShapes(npz[0], indices=3)) == 3
    np.testing.assert_array_equal(some[(2, 0)]['points'], whole[(2, 4)]['points'])
    assert some[0]['index'] == 4
    with pytest.raises(IndexError, match='shape 9'):
        NpzShapes(npz[0], indices=[0, 9])


def test_a_sample_depends_on_seed_epoch_index_and_stage(npz):
    def draw(key=(0, 0), **kwargs):
        return NpzShapes(npz[0], pipeline=[{'type': 'Jitter'}], **kwargs)[key]['points']

    base = draw()
    np.testing.assert_array_equal(base, draw(0))
    for other in (draw((1, 0)), draw(seed=1), draw(stage=1)):
        assert not np.array_equal(base, other)


def test_a_data_set_of_ones_own_needs_two_methods():
    class Cubes(PointCloudDataset):
        def num_shapes(self):
            return 3

        def load_info(self, index):
            return {'sample_id': f'cube-{index}', 'split': 'train', 'points': np.eye(3, dtype=np.float32)}

    data = Cubes([{'type': 'UnitSphere'}], metainfo={'variant': 'toy'})
    assert [sample['sample_id'] for sample in data] == ['cube-0', 'cube-1', 'cube-2']
    assert data.metainfo['normalize'] == 'unit_sphere' and data.metainfo['variant'] == 'toy'
