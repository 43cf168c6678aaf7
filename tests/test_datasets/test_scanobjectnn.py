"""ScanObjectNN in exactly its released layout."""

import pickle
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from _packed import packed_twin
from mmengine.config import Config

from mmpt.datasets import ScanObjectNN
from mmpt.datasets.scanobjectnn import SCANOBJECTNN
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]
SUFFIX = {'obj_bg': 'objectdataset', 'obj_only': 'objectdataset', 'pb_t50_rs': 'objectdataset_augmentedrot_scale75'}
FOLDER = {'obj_bg': 'main_split', 'obj_only': 'main_split_nobg', 'pb_t50_rs': 'main_split'}


def path_of(root, variant, split):
    prefix = {'train': 'training', 'test': 'test'}[split]
    return root / FOLDER[variant] / f'{prefix}_{SUFFIX[variant]}.h5'


def write(root, variant, split, count, **change):
    """Shape k of a file has its first point at (k, variant, split), and its first 500 points are background."""
    data = np.random.default_rng(count).uniform(-1, 1, (count, 2048, 3)).astype(np.float32)
    data[:, 0] = [[k, list(FOLDER).index(variant), split == 'test'] for k in range(count)]
    mask = np.zeros((count, 2048), np.int32)
    mask[:] = 7 if variant == 'pb_t50_rs' else 1  # what stands for the object differs; background is -1 everywhere
    mask[:, :500] = -1
    arrays = {'data': data, 'label': np.arange(count) % 15, 'mask': None if variant == 'obj_only' else mask, **change}
    path = path_of(root, variant, split)
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, 'w') as file:
        for key, array in arrays.items():
            if array is not None:
                file.create_dataset(key, data=array, compression='gzip')
    return path


@pytest.fixture
def root(tmp_path):
    """The folder h5_files of the release."""
    root = tmp_path / 'h5_files'
    root.mkdir()
    for variant in FOLDER:
        for split, count in (('train', 17), ('test', 3)):
            write(root, variant, split, count)
    return root


def test_the_class_names_are_in_the_order_of_the_labels():
    names = 'bag bin box cabinet chair desk display door shelf table bed pillow sink sofa toilet'
    assert ' '.join(SCANOBJECTNN) == names


@pytest.mark.parametrize('variant', FOLDER)
def test_a_variant_reads_its_own_files_as_they_are(root, variant):
    for split, count in (('train', 17), ('test', 3)):
        data = ScanObjectNN(str(root), split, variant=variant)
        assert len(data) == count
        with h5py.File(path_of(root, variant, split)) as file:
            stored = file['data'][:]
        for index in (0, count - 1):
            sample = data[index]
            assert sample['points'][0].tolist() == [index, list(FOLDER).index(variant), split == 'test']
            np.testing.assert_array_equal(sample['points'], stored[index])
            assert sample['points'].dtype == np.float32 and sample['points'].flags.owndata
            assert sample['label'] == data.label(index) == index % 15
            assert sample['class_name'] == SCANOBJECTNN[index % 15] and sample['split'] == split
        info = data.metainfo
        assert (info['variant'], info['split'], info['classes']) == (variant, split, SCANOBJECTNN)
        assert (info['up_axis'], info['normalize']) == ('y', 'none')
        assert ScanObjectNN.EXPECTED_COUNTS[variant, split] > 500
        assert len({data.load_info(index)['sample_id'] for index in range(count)}) == count


def test_the_mask_becomes_the_object_and_what_is_none(root):
    for variant in ('obj_bg', 'pb_t50_rs'):
        instance = ScanObjectNN(str(root), 'train', variant=variant)[3]['instance']
        assert instance.dtype == np.int64 and instance.shape == (2048,)
        assert (instance[:500] == -1).all() and (instance[500:] == 0).all()
    assert 'instance' not in ScanObjectNN(str(root), 'train', variant='obj_only')[3]


def test_the_object_stays_marked_where_points_are_chosen(root):
    data = ScanObjectNN(str(root), variant='obj_bg', pipeline=[{'type': 'RandomSample', 'num_points': 600}])
    sample, whole = data[2], data.load_info(2)
    background = {tuple(point) for point in whole['points'][:500].tolist()}
    assert sample['instance'].tolist() == [-1 if tuple(p) in background else 0 for p in sample['points'].tolist()]


def test_the_default_is_the_hardest_variant(root):
    assert ScanObjectNN(str(root)).metainfo['variant'] == 'pb_t50_rs'


def test_the_file_is_unpacked_once_and_handed_on_without_its_data(root, monkeypatch):
    data = ScanObjectNN(str(root), 'train', variant='obj_bg')
    points = data[16]['points']
    assert len(pickle.dumps(data)) < 4000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data))[16]['points'], points)
    monkeypatch.setattr('mmpt.datasets.scanobjectnn.read_h5_rows', lambda *args: pytest.fail('read again'))
    np.testing.assert_array_equal(ScanObjectNN(str(root), 'train', variant='obj_bg')[16]['points'], points)


def test_one_cache_dir_serves_files_of_the_same_name(root, tmp_path):
    for _ in range(2):
        for number, variant in enumerate(FOLDER):
            data = ScanObjectNN(str(root), 'test', variant=variant, cache_dir=str(tmp_path / 'cache'))
            assert data[1]['points'][0].tolist() == [1, number, 1]
    assert not list(root.rglob('*.mapped'))


def test_packed_gives_the_same_samples(root, tmp_path):
    cfg = {'type': 'ScanObjectNN', 'data_root': str(root), 'split': 'test', 'variant': 'obj_bg'}
    cfg['pipeline'] = [{'type': 'RandomSample', 'num_points': 128}, {'type': 'RotateUp'}]
    raw = DATASETS.build(cfg)
    expected = [raw[(2, index)] for index in range(3)]
    packed = packed_twin(tmp_path / 'packed', **cfg)
    shutil.rmtree(root)
    assert packed.metainfo == raw.metainfo and len(packed) == 3
    for index in range(3):
        sample = packed[(2, index)]
        for key in ('points', 'instance'):
            np.testing.assert_array_equal(sample[key], expected[index][key])
        assert (sample['sample_id'], sample['label']) == (expected[index]['sample_id'], expected[index]['label'])
    with pytest.raises(ValueError, match='variant'):
        ScanObjectNN(str(tmp_path / 'packed'), 'test', variant='obj_only', packed=True)


def test_shipped_config(root):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/scanobjectnn.py')
    for part in (cfg.train_dataloader.dataset, *cfg.val_dataloader.dataset.datasets):
        part.data_root = str(root)
    train, val = DATASETS.build(cfg.train_dataloader.dataset), DATASETS.build(cfg.val_dataloader.dataset)
    assert train[0]['inputs']['points'].shape == (2048, 3) and len(val) == 20
    assert val.metainfo['split'] == ('train', 'test') and val.metainfo['normalize'] == 'none'
    # The first 2,048 points, untouched: what Point-MAE evaluates.
    np.testing.assert_array_equal(val[18]['inputs']['points'], val.datasets[1].load_info(1)['points'])


def refuse(kind, index=None, **kwargs):
    with pytest.raises(kind) as error:
        data = ScanObjectNN(**kwargs)
        assert index is not None, 'opened what cannot be opened'
        data[index]
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


@pytest.mark.parametrize('wrong', [{'split': 'val'}, {'variant': 'pb_t25'}, {'variant': 'OBJ_BG'}])
def test_unknown_arguments_list_what_there_is(root, wrong):
    text = refuse(ValueError, data_root=str(root), **wrong)
    assert repr(next(iter(wrong.values()))) in text and "'obj_bg', 'obj_only', 'pb_t50_rs'" in text


def test_missing_pieces(root, tmp_path):
    text = refuse(FileNotFoundError, data_root=str(tmp_path / 'nowhere'))
    for part in (str(tmp_path / 'nowhere'), 'main_split_nobg', 'hkust-vgd.github.io/scanobjectnn', 'categories_val.py'):
        assert part in text
    path = path_of(root, 'obj_only', 'test')
    path.unlink()
    text = refuse(FileNotFoundError, data_root=str(root), split='test', variant='obj_only')
    assert str(path) in text and "'obj_only'" in text


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'data': None}, "'data'"),
        ({'label': None}, "'label'"),
        ({'data': np.zeros((3, 1024, 3), np.float32)}, '1024'),
        ({'data': np.zeros((3, 2048, 6), np.float32)}, '6'),
        ({'label': np.zeros(2, int)}, '2 of label'),
        ({'mask': np.zeros((2, 2048), int)}, '2 of mask'),
        ({'mask': np.zeros((3, 99), int)}, '99'),
    ],
)
def test_a_file_that_holds_something_else(root, change, reason):
    path = write(root, 'obj_bg', 'test', 3, **change)
    text = refuse(ValueError, data_root=str(root), split='test', variant='obj_bg')
    assert str(path) in text and re.search(reason, text)


def test_a_file_that_is_cut_off_or_empty(root):
    path = path_of(root, 'pb_t50_rs', 'test')
    for content in (path.read_bytes()[:3000], b''):
        path.write_bytes(content)
        assert str(path) in refuse(ValueError, data_root=str(root), split='test')
    assert not list(root.rglob('*.mapped'))


def test_rows_with_a_wrong_label_or_nan_are_named(root):
    path = write(root, 'obj_bg', 'test', 3, label=np.array([0, 15, 2]))
    text = refuse(ValueError, 1, data_root=str(root), split='test', variant='obj_bg')
    assert f'{path}, row 1' in text and 'label 15' in text and '0 to 14' in text
    data = np.ones((3, 2048, 3), np.float32)
    data[2, 5] = np.nan
    path = write(root, 'obj_bg', 'test', 3, data=data)
    text = refuse(ValueError, 2, data_root=str(root), split='test', variant='obj_bg')
    assert f'{path}, row 2' in text and '1 of 2048 points' in text
