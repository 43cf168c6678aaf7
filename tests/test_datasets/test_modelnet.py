"""ModelNet in exactly the layouts of its resampled release: text files, and Point-BERT's cache of them."""

import builtins
import multiprocessing
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from _packed import packed_twin
from mmengine.config import Config
from torch.utils.data import DataLoader

from mmpt.datasets import ModelNet
from mmpt.datasets.modelnet import MODELNET40
from mmpt.datasets.verification import check_counts
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]
LINES = {
    'train': ['airplane_0001', 'night_stand_0002', 'chair_0003', 'flower_pot_0004'],
    'test': ['airplane_0627', 'tv_stand_0268'],
}
LABELS = {'train': [0, 23, 8, 15], 'test': [0, 36]}
ROWS = 1100  # of 10,000, for speed


def cloud_of(name, rows=ROWS):
    """Points on a sphere of radius 2 about (1, 0, 0), with their normals, as float32 written with 6 digits."""
    normals = np.random.default_rng(sum(name.encode())).standard_normal((rows, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return np.round(np.hstack([2 * normals + [1, 0, 0], normals]), 6).astype(np.float32)


@pytest.fixture
def resampled(tmp_path):
    """modelnet40_normal_resampled, with some of its shapes."""
    root = tmp_path / 'modelnet40_normal_resampled'
    root.mkdir()
    (root / 'modelnet40_shape_names.txt').write_text(''.join(f'{name}\n' for name in MODELNET40))
    for split, lines in LINES.items():
        (root / f'modelnet40_{split}.txt').write_text(''.join(f'{line}\n' for line in lines))
        for line in lines:
            folder = root / line.rpartition('_')[0]
            folder.mkdir(exist_ok=True)
            np.savetxt(folder / f'{line}.txt', cloud_of(line), fmt='%.6f', delimiter=',')
    return root


def write_dat(root, split, protocol=pickle.DEFAULT_PROTOCOL, **change):
    """The cache as Point-BERT writes it; the clouds differ from the text files so that a test sees what was read."""
    content = {
        'points': [cloud_of(line, 64) + np.float32(0.5) for line in LINES[split]],
        'labels': [np.array([label], np.int32) for label in LABELS[split]],
        **change,
    }
    path = root / f'modelnet40_{split}_8192pts_fps.dat'
    path.write_bytes(pickle.dumps([content['points'], content['labels']], protocol))
    return path


@pytest.fixture
def cached(resampled):
    """The folder as Point-BERT's download leaves it: lists and caches, no text files."""
    for split in LINES:
        write_dat(resampled, split)
    for path in resampled.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    return resampled


def test_classes_are_those_of_the_release():
    assert len(MODELNET40) == 40 and list(MODELNET40) == sorted(set(MODELNET40))
    assert MODELNET40[0] == 'airplane' and MODELNET40[-1] == 'xbox'


def test_text_files_give_points_normals_and_the_class_before_the_last_underscore(resampled):
    data = ModelNet(str(resampled), 'train')
    assert len(data) == 4 and [data.label(k) for k in range(4)] == LABELS['train']
    for index, name in enumerate(LINES['train']):
        sample, stored = data[index], cloud_of(name)
        assert (sample['sample_id'], sample['split']) == (name, 'train')
        assert sample['class_name'] == name.rpartition('_')[0]
        for key, columns in (('points', slice(0, 3)), ('normals', slice(3, 6))):
            assert sample[key].dtype == np.float32 and sample[key].flags.c_contiguous
            np.testing.assert_array_equal(sample[key], stored[:, columns])
    info = data.metainfo
    assert (info['variant'], info['source'], info['split']) == ('modelnet40_normal_resampled', 'text', 'train')
    assert (info['up_axis'], info['normalize'], info['classes']) == ('y', 'none', MODELNET40)
    assert ModelNet.EXPECTED_COUNTS[info['variant'], info['split']] == 9843
    assert ModelNet(str(resampled), 'test')[1]['class_name'] == 'tv_stand'


def test_opening_looks_at_no_text_file(resampled, monkeypatch):
    touched = []
    real_open, stat = builtins.open, os.stat
    monkeypatch.setattr(os, 'scandir', lambda path='.': pytest.fail(f'walked {path}'))
    monkeypatch.setattr(os, 'listdir', lambda path='.': pytest.fail(f'listed {path}'))
    monkeypatch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
    monkeypatch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
    ModelNet(str(resampled), 'train')
    assert any('modelnet40_train' in path for path in touched)
    assert not [path for path in touched if any(line in path for line in LINES['train'])]


def test_the_cache_is_read_in_the_order_of_the_list(cached):
    data = ModelNet(str(cached), 'train')
    assert data.metainfo['source'] == 'fps_8192' and len(data) == 4
    for index, name in enumerate(LINES['train']):
        sample, stored = data[index], cloud_of(name, 64) + np.float32(0.5)
        assert sample['sample_id'] == name and sample['label'] == LABELS['train'][index]
        np.testing.assert_array_equal(np.hstack([sample['points'], sample['normals']]), stored)
        assert sample['points'].dtype == np.float32 and sample['points'].flags.owndata


@pytest.mark.parametrize('protocol', [0, 2, 3, 4, 5])
def test_the_cache_in_every_form_that_python_pickles(cached, protocol):
    write_dat(cached, 'test', protocol)
    points = ModelNet(str(cached), 'test')[1]['points']
    np.testing.assert_array_equal(points, cloud_of('tv_stand_0268', 64)[:, :3] + np.float32(0.5))


def test_the_cache_stands_in_for_text_files_only_where_both_splits_have_one(resampled):
    write_dat(resampled, 'train')
    assert ModelNet(str(resampled), 'train').metainfo['source'] == 'text'
    assert ModelNet(str(resampled), 'train', source='fps_8192').metainfo['source'] == 'fps_8192'
    with pytest.raises(FileNotFoundError, match=r'modelnet40_test_8192pts_fps\.dat does not exist'):
        ModelNet(str(resampled), 'test', source='fps_8192')
    write_dat(resampled, 'test')
    for split in LINES:
        assert ModelNet(str(resampled), split).metainfo['source'] == 'fps_8192'
        assert ModelNet(str(resampled), split, source='text').metainfo['source'] == 'text'


def test_the_cache_is_unpickled_once_and_again_when_it_changes(cached, monkeypatch, capfd):
    first = ModelNet(str(cached), 'train')[2]['points']
    assert 'once' in capfd.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr('mmpt.datasets.modelnet.read_pickle', lambda path: pytest.fail('read again'))
        np.testing.assert_array_equal(ModelNet(str(cached), 'train')[2]['points'], first)
    path = write_dat(cached, 'train', points=[np.full((64, 6), k, np.float32) for k in range(4)])
    os.utime(path, ns=(0, 0))
    assert (ModelNet(str(cached), 'train')[2]['points'] == 2).all()
    assert not list(cached.glob('*.partial'))


def test_workers_share_what_they_map(cached):
    data = ModelNet(str(cached), 'train', pipeline=[{'type': 'RandomSample', 'num_points': 16}])
    data[0]  # mapped before it is handed on
    assert len(pickle.dumps(data)) < 8000  # four clouds alone have 6 kB
    alone = [data[index]['points'] for index in range(4)]
    for handed_on in (data, pickle.loads(pickle.dumps(data))):  # as forked and as spawned workers get it
        loader = DataLoader(handed_on, batch_size=None, num_workers=2, multiprocessing_context='fork')
        for sample, expected in zip(loader, alone, strict=True):
            np.testing.assert_array_equal(sample['points'], expected)


def open_and_say(root):
    data = ModelNet(root, 'train')
    return float(data[3]['points'][5, 1])


def test_processes_that_open_the_cache_at_once_unpickle_it_once(cached, capfd):
    with multiprocessing.get_context('fork').Pool(4) as pool:
        found = pool.map(open_and_say, [str(cached)] * 4, chunksize=1)
    expected = float((cloud_of('flower_pot_0004', 64) + np.float32(0.5))[5, 1])
    assert found == [expected] * 4
    assert capfd.readouterr().err.count('laying its rows') == 1


def test_cache_dir_takes_the_mapped_rows(cached, tmp_path):
    before = sorted(path.name for path in cached.iterdir())
    for split in LINES:
        data = ModelNet(str(cached), split, cache_dir=str(tmp_path / 'cache'))
        np.testing.assert_array_equal(data[0]['points'], cloud_of(LINES[split][0], 64)[:, :3] + np.float32(0.5))
    assert sorted(path.name for path in cached.iterdir()) == before
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='modelnet40_train_8192pts_fps.dat.*cache_dir'):
        ModelNet(str(cached), 'train', cache_dir=str(tmp_path / 'file'))


def test_modelnet10(resampled):
    names = ['bathtub', 'bed', 'chair', 'desk', 'dresser', 'monitor', 'night_stand', 'sofa', 'table', 'toilet']
    (resampled / 'modelnet10_shape_names.txt').write_text('\n'.join(names))
    (resampled / 'modelnet10_train.txt').write_text('chair_0003\nnight_stand_0002\n')
    data = ModelNet(str(resampled), 'train', categories=10)
    assert [data.label(k) for k in range(2)] == [2, 6] and data.metainfo['classes'] == tuple(names)
    assert data[0]['class_name'] == 'chair' and data.metainfo['variant'] == 'modelnet10_normal_resampled'
    np.testing.assert_array_equal(data[1]['points'], cloud_of('night_stand_0002')[:, :3])
    counts = {split: ModelNet.EXPECTED_COUNTS[data.metainfo['variant'], split] for split in ('train', 'test')}
    assert counts == {'train': 3991, 'test': 908}
    (finding,) = check_counts(data)
    assert 'has 2 shapes, published are 3,991' in finding.text


@pytest.mark.parametrize('source', ['text', 'fps_8192'])
def test_packed_gives_the_same_samples(resampled, tmp_path, source):
    for split in LINES if source == 'fps_8192' else ():
        write_dat(resampled, split)
    # The first step asks whether the rows are sorted by distance already, so the pack has to know as well.
    steps = [{'type': 'FarthestPoints', 'num_points': 48}, {'type': 'RandomSample', 'num_points': 32}]
    cfg = {'type': 'ModelNet', 'data_root': str(resampled), 'split': 'train', 'pipeline': steps}
    raw = DATASETS.build(cfg)
    expected = [raw[(3, index)] for index in range(4)]
    packed = packed_twin(tmp_path / 'packed', **cfg)
    shutil.rmtree(resampled)
    assert packed.metainfo == raw.metainfo and packed.metainfo['source'] == source
    assert [packed.label(index) for index in range(4)] == LABELS['train']
    for index, one in enumerate(expected):
        for key in ('points', 'normals', 'sample_id', 'label', 'class_name', 'split'):
            np.testing.assert_array_equal(packed[(3, index)][key], one[key])
    with pytest.raises(ValueError, match='variant'):
        ModelNet(str(tmp_path / 'packed'), 'train', packed=True, categories=10)


def test_shipped_configs(resampled):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/modelnet40.py')
    for part in (cfg.train_dataloader.dataset, *cfg.val_dataloader.dataset.datasets):
        part.data_root = str(resampled)
    train, val = DATASETS.build(cfg.train_dataloader.dataset), DATASETS.build(cfg.val_dataloader.dataset)
    assert train[0]['inputs']['points'].shape == (1024, 3) and len(val) == 6
    assert val.metainfo['split'] == ('train', 'test') and val.metainfo['normalize'] == 'unit_sphere'
    # Scaled as a whole, then cut, as the protocols do.
    points = cloud_of('airplane_0627')[:, :3].astype(np.float64)
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1).max()
    np.testing.assert_allclose(val[4]['inputs']['points'], points[:1024], atol=1e-6)
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/modelnet10.py')
    parts = [cfg.train_dataloader.dataset, *cfg.val_dataloader.dataset.datasets]
    assert {(part.type, part.categories) for part in parts} == {('ModelNet', 10)}
    assert [part.split for part in parts] == ['train', 'train', 'test'] and len(parts[1].pipeline) == 3


def test_the_probe_of_a_pretraining_config_can_be_swapped_for_modelnet(cached, tmp_path):
    # The snippet of docs/datasets/modelnet.md.
    (tmp_path / 'mine.py').write_text(f"""
_base_ = {str(ROOT / 'configs/mmpt/pretrain_synthetic.py')!r}
probe = dict(
    type='ModelNet',
    data_root={str(cached)!r},
    pipeline=[dict(type='UnitSphere'), dict(type='FirstPoints', num_points=48), dict(type='PackInputs')],
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[dict(split='train', **probe), dict(split='test', **probe)],
    ),
)
""")
    loader = Config.fromfile(tmp_path / 'mine.py').val_dataloader
    data = DATASETS.build(loader.dataset)
    assert len(data) == 6 and data.metainfo['classes'] == MODELNET40 and loader.batch_size == 64
    assert [data[index]['data_samples'].label for index in range(6)] == LABELS['train'] + LABELS['test']
    assert data[0]['inputs']['points'].norm(dim=1).max() <= 1 + 1e-6


def refuse(kind, index=None, **kwargs):
    with pytest.raises(kind) as error:
        data = ModelNet(**kwargs)
        assert index is not None, 'opened what cannot be opened'
        data[index]
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


@pytest.mark.parametrize('wrong', [{'split': 'val'}, {'variant': '2048'}, {'categories': 55}, {'source': 'dat'}])
def test_unknown_arguments(resampled, wrong):
    text = refuse(ValueError, data_root=str(resampled), **wrong)
    assert repr(next(iter(wrong.values()))) in text and 'expected' in text


def test_missing_pieces(resampled, tmp_path):
    text = refuse(FileNotFoundError, data_root=str(tmp_path / 'nowhere'))
    for part in (str(tmp_path / 'nowhere'), 'modelnet40_{shape_names,train,test}.txt', 'categories_val.py'):
        assert part in text
    (resampled / 'chair' / 'chair_0003.txt').unlink()
    text = refuse(FileNotFoundError, 2, data_root=str(resampled))
    assert str(resampled / 'chair' / 'chair_0003.txt') in text
    (resampled / 'modelnet40_train.txt').unlink()
    assert 'modelnet40_train.txt' in refuse(FileNotFoundError, data_root=str(resampled))
    (resampled / 'modelnet40_shape_names.txt').unlink()
    assert 'modelnet40_shape_names.txt' in refuse(FileNotFoundError, data_root=str(resampled))


def test_class_names_that_are_not_forty(resampled):
    path = resampled / 'modelnet40_shape_names.txt'
    path.write_text('\n'.join(MODELNET40[:-1]))
    text = refuse(ValueError, data_root=str(resampled))
    assert str(path) in text and '39 class names' in text and 'expected 40' in text


@pytest.mark.parametrize(
    'line',
    ['../../secret_0001', '/etc/passwd_0001', 'chair/../../x_0001', '..\\x_0001', 'C:\\x_0001', 'c\x00hair_0001'],
)
def test_a_list_cannot_lead_out_of_the_root(resampled, line):
    path = resampled / 'modelnet40_train.txt'
    path.write_text(path.read_text() + line + '\n')
    text = refuse(ValueError, data_root=str(resampled))
    assert f'{path}, line 5' in text and 'refused' in text


@pytest.mark.parametrize('line', ['unicorn_0001', 'chair', '0001', 'chair_0001.txt_1', 'chair/chair_0003'])
def test_a_line_of_no_known_class(resampled, line):
    path = resampled / 'modelnet40_train.txt'
    path.write_text(path.read_text() + f'\n{line}\n')
    text = refuse(ValueError, data_root=str(resampled))
    assert f'{path}, line 6' in text and line in text and 'modelnet40_shape_names.txt' in text


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('1,2,3,4,5\n' * 9, 'got 5'),
        ('1,2,3,0,1,0\n1,2,3,4,5\n', 'line 2'),
        ('', 'empty'),
        ('1,2,3,0,1,0\nNaN,2,3,0,1,0\n', 'NaN or infinity in 1 of 2 rows'),
        ('1,2,3,0,1,0\n1,2,x,0,1,0\n', 'line 2'),
    ],
)
def test_a_text_file_that_cannot_be_used(resampled, content, reason):
    path = resampled / 'chair' / 'chair_0003.txt'
    path.write_text(content)
    text = refuse(ValueError, 2, data_root=str(resampled))
    assert str(path) in text and reason in text
    # The others stay readable, and `skip` takes one of them in its place.
    data = ModelNet(str(resampled), on_bad_sample='skip')
    assert data[0]['sample_id'] == 'airplane_0001'
    assert data[2]['sample_id'] != 'chair_0003' and str(path) in data[2]['skipped'][0]


def test_the_cache_runs_no_code(cached, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'owned'),)

    path = cached / 'modelnet40_train_8192pts_fps.dat'
    path.write_bytes(pickle.dumps([[Evil()], [np.array([0])]]))
    text = refuse(ValueError, data_root=str(cached))
    assert str(path) in text and not (tmp_path / 'owned').exists()
    assert not list(cached.glob('*train*.mapped'))


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'points': [], 'labels': []}, '0 clouds'),
        ({'labels': [np.array([0], np.int32)] * 3}, '4 clouds and 3 labels'),
        ({'labels': [np.array([0.5])] * 4}, r'row 0.*\(1,\) float64'),
        ({'labels': ['airplane'] * 4}, r'row 0.*<U8'),
        ({'points': [np.zeros((64, 3), np.float32)] * 4}, r'row 0.*\(64, 3\)'),
        ({'points': [np.zeros((60 + k, 6), np.float32) for k in range(4)]}, r'row 1.*\(61, 6\)'),
        ({'points': [np.zeros((9, 6), np.float32)] * 3, 'labels': [np.array([0], np.int32)] * 3}, '3 shapes.*4 lines'),
        ({'labels': [np.array([k], np.int32) for k in (0, 23, 9, 15)]}, r"row 2 has label 9.*'chair_0003'.*\(chair\)"),
    ],
)
def test_a_cache_that_does_not_fit(cached, change, reason):
    path = write_dat(cached, 'train', **change)
    text = refuse(ValueError, data_root=str(cached))
    assert str(path) in text and re.search(reason, text)


def test_a_cache_that_is_cut_off_or_something_else(cached):
    path = cached / 'modelnet40_train_8192pts_fps.dat'
    whole = path.read_bytes()
    for content in (whole[:-100], b'', pickle.dumps({'points': 1}), pickle.dumps([1, 2])):
        path.write_bytes(content)
        assert str(path) in refuse(ValueError, data_root=str(cached))


def test_nan_in_the_cache_is_named_with_its_row(cached):
    points = [cloud_of(line, 64) for line in LINES['train']]
    points[1][3, 2] = np.inf
    path = write_dat(cached, 'train', points=points)
    text = refuse(ValueError, 1, data_root=str(cached))
    assert f'{path}, row 1' in text and '1 of 64 points' in text


def test_damaged_mapped_rows_say_how_to_make_them_again(cached):
    ModelNet(str(cached), 'train')
    path = cached / 'modelnet40_train_8192pts_fps.dat.mapped' / 'points.npy'
    path.write_bytes(path.read_bytes()[:500])
    text = refuse(ValueError, 0, data_root=str(cached))
    assert str(path) in text and 'delete' in text
    shutil.rmtree(path.parent)
    points = ModelNet(str(cached), 'train')[0]['points']
    np.testing.assert_array_equal(points, cloud_of('airplane_0001', 64)[:, :3] + np.float32(0.5))
