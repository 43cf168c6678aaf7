"""ModelNet40 in exactly the layout of PointNet's h5 files."""

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from _packed import packed_twin
from mmengine.config import Config

from mmpt.datasets import ModelNet
from mmpt.datasets.modelnet import MODELNET40
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]


def write_h5(path, first, count, **change):
    arrays = {
        'data': np.arange(first, first + count, dtype=np.float32)[:, None, None] + np.zeros((1, 2048, 3), np.float32),
        'label': (np.arange(first, first + count, dtype=np.uint8) % 40)[:, None],
    }
    arrays['data'][:, 1, 2] += 0.25
    arrays['normal'] = np.broadcast_to(np.float32([0, 1, 0]), arrays['data'].shape)
    with h5py.File(path, 'w') as file:
        for key, array in {**arrays, **change}.items():
            if array is not None:
                file.create_dataset(key, data=array, compression='gzip', compression_opts=4)


@pytest.fixture
def hdf5(tmp_path):
    """modelnet40_ply_hdf5_2048; eleven train files, so that the order of names and of numbers differ."""
    root = tmp_path / 'modelnet40_ply_hdf5_2048'
    root.mkdir()
    for number in range(11):
        write_h5(root / f'ply_data_train{number}.h5', 3 * number, 3)
    write_h5(root / 'ply_data_test0.h5', 50, 2)
    write_h5(root / 'ply_data_test1.h5', 52, 1)
    (root / 'shape_names.txt').write_text('\n'.join(MODELNET40))
    for split, count in (('train', 11), ('test', 2)):
        names = [f'data/modelnet40_ply_hdf5_2048/ply_data_{split}{k}.h5' for k in reversed(range(count))]
        (root / f'{split}_files.txt').write_text('\n'.join(names) + '\n')
    return root


@pytest.mark.parametrize('lists', [True, False])
def test_h5_files_come_in_the_order_of_their_numbers(hdf5, lists):
    if not lists:
        for path in hdf5.glob('*.txt'):
            path.unlink()
    data = ModelNet(str(hdf5), 'train', variant='hdf5_2048')
    assert len(data) == 33
    for index in (0, 5, 6, 8, 9, 30, 32):  # file 2 ends with 8, file 10 begins with 30
        sample = data[index]
        assert sample['points'].shape == (2048, 3) and sample['points'].dtype == np.float32
        assert sample['points'][0, 0] == index and sample['points'][1, 2] == index + 0.25
        assert sample['normals'].tolist()[:1] == [[0, 1, 0]]
        assert sample['label'] == data.label(index) == index and sample['class_name'] == MODELNET40[index]
    assert data[32]['sample_id'] == 'ply_data_train10-0002'
    assert len({data.load_info(index)['sample_id'] for index in range(33)}) == 33
    assert data.metainfo['variant'] == 'modelnet40_hdf5_2048' and data.metainfo['normalize'] == 'unit_sphere'
    assert data.metainfo['classes'] == MODELNET40 and data.metainfo['source'] == 'h5'
    assert ModelNet.EXPECTED_COUNTS[data.metainfo['variant'], 'train'] == 9840
    test = ModelNet(str(hdf5), 'test', variant='hdf5_2048')
    assert len(test) == 3 and test[2]['points'][0, 0] == 52 and test.label(2) == 12


def test_h5_files_without_normals(hdf5):
    write_h5(hdf5 / 'ply_data_test1.h5', 52, 1, normal=None)
    data = ModelNet(str(hdf5), 'test', variant='hdf5_2048')
    assert 'normals' in data[1] and 'normals' not in data[2]


def test_shipped_config(hdf5):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/modelnet40_h5.py')
    for part in (cfg.train_dataloader.dataset, *cfg.val_dataloader.dataset.datasets):
        part.data_root = str(hdf5)
    train, val = DATASETS.build(cfg.train_dataloader.dataset), DATASETS.build(cfg.val_dataloader.dataset)
    assert train[0]['inputs']['points'].shape == (1024, 3) and len(val) == 36
    assert val.metainfo['split'] == ('train', 'test') and val.metainfo['normalize'] == 'unit_sphere'
    # The first 1,024 points as they are: what the SVM protocols read.
    np.testing.assert_array_equal(val[34]['inputs']['points'], val.datasets[1].load_info(1)['points'][:1024])


def refuse(kind, index=None, **kwargs):
    with pytest.raises(kind) as error:
        data = ModelNet(**kwargs)
        assert index is not None, 'opened what cannot be opened'
        data[index]
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


def test_missing_pieces(hdf5, tmp_path):
    text = refuse(FileNotFoundError, data_root=str(tmp_path / 'nowhere'), variant='hdf5_2048')
    assert str(tmp_path / 'nowhere') in text and 'ply_data_{train,test}<k>.h5' in text
    (hdf5 / 'ply_data_train4.h5').unlink()
    text = refuse(FileNotFoundError, data_root=str(hdf5), variant='hdf5_2048')
    assert str(hdf5 / 'ply_data_train4.h5') in text and 'train_files.txt, line 7' in text
    for path in hdf5.iterdir():
        path.unlink()
    text = refuse(FileNotFoundError, data_root=str(hdf5), variant='hdf5_2048')
    assert str(hdf5) in text and 'has no ply_data_train<k>.h5' in text


def test_a_root_that_holds_something_else_of_ours(hdf5, tmp_path):
    """The other release of ModelNet40, and packed data."""
    text = refuse(ValueError, data_root=str(hdf5))
    assert str(hdf5) in text and "variant='hdf5_2048'" in text
    (tmp_path / 'text').mkdir()
    (tmp_path / 'text' / 'modelnet40_shape_names.txt').touch()
    text = refuse(ValueError, data_root=str(tmp_path / 'text'), variant='hdf5_2048')
    assert str(tmp_path / 'text') in text and "variant='normal_resampled'" in text
    (tmp_path / 'packed' / 'train').mkdir(parents=True)
    (tmp_path / 'packed' / 'train' / 'pack.json').touch()
    text = refuse(FileNotFoundError, data_root=str(tmp_path / 'packed'))
    assert f'{tmp_path / "packed"} holds packed data, which packed=True reads' in text


def test_ten_categories_have_no_h5_files(hdf5):
    assert '40 categories' in refuse(ValueError, data_root=str(hdf5), variant='hdf5_2048', categories=10)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'data': None}, "'data'"),
        ({'label': None}, "'label'"),
        ({'data': np.zeros((2, 2048, 6), np.float32)}, r'\(2, 2048, 6\)'),
        ({'label': np.zeros((3, 1), np.uint8)}, '3 of label'),
        ({'label': np.zeros((2, 2), np.uint8)}, r'\(2, 2\)'),
        ({'label': np.zeros((2, 1), np.float32)}, 'float32'),
        ({'normal': np.zeros((2, 1024, 3), np.float32)}, '1024'),
        ({'normal': np.zeros((3, 2048, 3), np.float32)}, '3 of normal'),
        (
            {'data': np.zeros((0, 2048, 3), np.float32), 'label': np.zeros((0, 1), np.uint8), 'normal': None},
            'at least one',
        ),
    ],
)
def test_an_h5_file_that_holds_something_else(hdf5, change, reason):
    path = hdf5 / 'ply_data_test0.h5'
    write_h5(path, 50, 2, **change)
    text = refuse(ValueError, data_root=str(hdf5), split='test', variant='hdf5_2048')
    assert str(path) in text and re.search(reason, text)


def test_an_h5_file_that_is_cut_off(hdf5):
    path = hdf5 / 'ply_data_test0.h5'
    path.write_bytes(path.read_bytes()[:2000])
    assert str(path) in refuse(ValueError, data_root=str(hdf5), split='test', variant='hdf5_2048')


def test_h5_rows_with_a_wrong_label_or_nan_are_named(hdf5):
    path = hdf5 / 'ply_data_test0.h5'
    write_h5(path, 50, 2, label=np.array([[10], [40]], np.uint8))
    text = refuse(ValueError, 1, data_root=str(hdf5), split='test', variant='hdf5_2048')
    assert f'{path}, row 1' in text and 'label 40' in text and '0 to 39' in text
    data = np.zeros((2, 2048, 3), np.float32)
    data[1, 7] = np.nan
    write_h5(path, 50, 2, data=data)
    text = refuse(ValueError, 1, data_root=str(hdf5), split='test', variant='hdf5_2048')
    assert f'{path}, row 1' in text and '1 of 2048 points' in text


@pytest.mark.parametrize('line', ['../ply_data_test0.h5', '/ply_data_test0.h5', 'ply_data_train0.h5', 'notes.txt'])
def test_a_list_of_h5_files_names_nothing_else(hdf5, line):
    path = hdf5 / 'test_files.txt'
    path.write_text(f'{line}\n')
    assert f'{path}, line 1' in refuse(ValueError, data_root=str(hdf5), split='test', variant='hdf5_2048')


def test_packed_gives_the_same_samples(hdf5, tmp_path):
    cfg = {'type': 'ModelNet', 'data_root': str(hdf5), 'split': 'train', 'variant': 'hdf5_2048'}
    cfg['pipeline'] = [{'type': 'RandomSample', 'num_points': 64}]
    raw = DATASETS.build(cfg)
    expected = [raw[(1, index)] for index in range(33)]
    packed = packed_twin(tmp_path / 'packed', **cfg)
    shutil.rmtree(hdf5)
    assert packed.metainfo == raw.metainfo and packed.metainfo['normalize'] == 'unit_sphere' and len(packed) == 33
    for index in (0, 8, 9, 32):
        sample = packed[(1, index)]
        assert packed.label(index) == expected[index]['label']
        for key in ('points', 'normals', 'label', 'sample_id', 'class_name'):
            np.testing.assert_array_equal(sample[key], expected[index][key])
