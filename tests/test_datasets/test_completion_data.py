"""Completion: PCN and the lists of ShapeNet-55/34 in exactly their released layouts."""

import builtins
import json
import os
from pathlib import Path

import numpy as np
import pytest
from _packed import packed_twin
from _pcn import complete_of, write_pcd, write_pcn
from mmengine.config import Config

from mmpt.datasets import PCN, ConcatDataset, ShapeNetCompletion
from mmpt.datasets.shapenet import SYNSETS
from mmpt.datasets.transforms import VIEWPOINTS, LoadPartial
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pcn(tmp_path):
    return write_pcn(tmp_path)


def rows(points):
    return {tuple(row) for row in np.asarray(points).tolist()}


PIPELINE = [{'type': 'LoadPartial'}, {'type': 'PackInputs'}]


def test_pcn_gives_every_partial_cloud_with_its_complete_one(pcn):
    data = PCN(str(pcn), 'train', pipeline=PIPELINE)
    assert [data.load_info(i)['sample_id'] for i in range(3)] == [
        '02691156-1a04e3eab45ca15dd86060f189eb133',
        '02691156-b',
        '04256520-c-d',
    ]
    assert [data[i]['data_samples'].class_name for i in range(3)] == ['airplane', 'airplane', 'sofa']
    seen = set()
    for epoch in range(60):
        sample = data[(epoch, 2)]
        complete = sample['data_samples'].complete.numpy()
        np.testing.assert_array_equal(complete, complete_of(2))
        first = int(np.flatnonzero((complete == sample['inputs']['points'].numpy()[0]).all(axis=1))[0])
        assert len(sample['inputs']['points']) == (1500 if first % 2 else 2500)
        seen.add(first)
    assert seen == set(range(8))
    assert data.metainfo['variant'] == 'PCN' and data.metainfo['normalize'] == 'none'


def test_pcn_is_evaluated_on_the_first_partial_cloud(pcn):
    pipeline = [{'type': 'LoadPartial', 'random': False}]
    for split, count in (('val', 1), ('test', 2)):
        data = PCN(str(pcn), split, pipeline=pipeline)
        assert len(data) == count and all(len(data.load_info(i)['partial_paths']) == 1 for i in range(count))
        for epoch in range(3):
            np.testing.assert_array_equal(data[(epoch, 0)]['points'], data[0]['complete'][:2500])
    train = PCN(str(pcn), 'train', pipeline=pipeline)
    np.testing.assert_array_equal(train[(5, 1)]['points'], complete_of(1)[:2500])


def test_packed_pcn_keeps_all_partial_clouds(pcn, tmp_path):
    cfg = {'type': 'PCN', 'data_root': str(pcn), 'split': 'train', 'pipeline': PIPELINE}
    raw, packed = DATASETS.build(cfg), packed_twin(tmp_path / 'packed', **cfg)
    assert len(packed) == 3 and packed.metainfo['classes'] == raw.metainfo['classes']
    different = set()
    for epoch in range(12):
        for index in range(3):
            one, two = raw[(epoch, index)], packed[(epoch, index)]
            np.testing.assert_array_equal(one['inputs']['points'], two['inputs']['points'])
            np.testing.assert_array_equal(one['data_samples'].complete, two['data_samples'].complete)
            assert one['data_samples'].sample_id == two['data_samples'].sample_id
            different.add(tuple(one['inputs']['points'][0].tolist()))
    assert len(different) > 6  # the draw is made when the pack is read


def test_opening_pcn_reads_its_list_and_nothing_else(pcn, monkeypatch):
    touched = []
    real_open, stat = builtins.open, os.stat
    monkeypatch.setattr(os, 'listdir', lambda path='.': pytest.fail(f'listed {path}'))
    monkeypatch.setattr(os, 'scandir', lambda path='.': pytest.fail(f'walked {path}'))
    monkeypatch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
    monkeypatch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
    PCN(str(pcn), 'train', pipeline=PIPELINE)
    assert not [path for path in touched if path.endswith('.pcd') or 'partial' in path]


def refuse(kind, cls, **kwargs):
    with pytest.raises(kind) as error:
        cls(**kwargs)
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


def test_what_is_wrong_with_pcn_is_said_in_one_sentence(pcn, tmp_path):
    text = refuse(FileNotFoundError, PCN, data_root=str(tmp_path / 'nowhere'))
    assert 'nowhere' in text and 'GRNet' in text and '/completion_synthetic.py' in text
    assert "'val'" in refuse(ValueError, PCN, data_root=str(pcn), split='valid')
    path = pcn / 'PCN.json'
    for content in ('{}', '[]', '[1]', '[{"taxonomy_id": "02691156"}]', '[{"taxonomy_id": "99", "train": []}]'):
        path.write_text(content)
        assert 'PCN.json' in refuse(ValueError, PCN, data_root=str(pcn))
    for model in ('../../secret', '/etc/passwd', '..', 'a/b', 'a\\b', '', 7):
        path.write_text(json.dumps([{'taxonomy_id': '02691156', 'train': ['fine', model]}]))
        text = refuse(ValueError, PCN, data_root=str(pcn))
        assert 'PCN.json' in text and repr(model) in text
    path.unlink()
    assert 'PCN.json' in refuse(FileNotFoundError, PCN, data_root=str(pcn))


@pytest.mark.parametrize('part', ['partial/04256520/v/00.pcd', 'complete/04256520/v.pcd'])
def test_damaged_clouds_of_pcn_are_named(pcn, part):
    path = pcn / 'val' / part
    data = PCN(str(pcn), 'val', pipeline=PIPELINE)

    def said(kind):
        with pytest.raises(kind) as error:
            data[0]
        text = str(error.value)
        assert str(path) in text and '\n' not in text
        with pytest.raises(kind) as error:
            LoadPartial().pack(data.load_info(0))
        assert str(path) in str(error.value)
        return text

    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    said(ValueError)
    points = complete_of(3)[:4].copy()
    points[2, 1] = np.nan
    write_pcd(path, points)
    assert 'finite' in said(ValueError)
    write_pcd(path, points[:0])
    said(ValueError)
    path.unlink()
    assert 'does not exist' in said(FileNotFoundError)


def test_a_data_set_without_partial_clouds_is_a_mistake_in_the_config():
    with pytest.raises(KeyError, match="'partial_paths'"):
        LoadPartial()({'sample_id': 'x', 'points': np.zeros((3, 3)), 'rng': np.random.default_rng()})


LISTS = {
    'ShapeNet-55/train': ['02691156-aa', '04379243-bb'],
    'ShapeNet-55/test': ['04379243-cc'],
    'ShapeNet-34/train': ['02691156-aa'],
    'ShapeNet-34/test': ['04379243-cc'],
    'ShapeNet-Unseen21/test': ['02773838-dd', '02954340-ee'],
}


@pytest.fixture
def shapenet(tmp_path):
    root = tmp_path / 'ShapeNet55-34'
    (root / 'shapenet_pc').mkdir(parents=True)
    for name, stems in LISTS.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / f'{name}.txt').write_text(''.join(f'{stem}.npy\n' for stem in stems))
        for stem in stems:
            cloud = np.random.default_rng(sum(map(ord, stem))).standard_normal((8192, 3)).astype(np.float32)
            np.save(root / 'shapenet_pc' / f'{stem}.npy', cloud)
    return root


def test_the_lists_of_completion(shapenet):
    for name, stems in LISTS.items():
        variant, split = name.split('/')
        data = ShapeNetCompletion(str(shapenet), split, variant=variant, pipeline=[{'type': 'LoadPoints'}])
        assert [data.load_info(i)['sample_id'] for i in range(len(data))] == stems
        assert data.metainfo['variant'] == variant and data.metainfo['split'] == split
        assert [data.metainfo['classes'][data.label(i)] for i in range(len(data))] == [SYNSETS[s[:8]] for s in stems]
        np.testing.assert_array_equal(data[0]['points'], np.load(shapenet / 'shapenet_pc' / f'{stems[0]}.npy'))


def test_what_is_wrong_with_the_lists_is_said_in_one_sentence(shapenet, tmp_path):
    text = refuse(ValueError, ShapeNetCompletion, data_root=str(shapenet), variant='ShapeNet-Unseen21')
    assert 'ShapeNet-Unseen21 with split test' in text
    refuse(ValueError, ShapeNetCompletion, data_root=str(shapenet), variant='ShapeNet55')
    assert 'PoinTr' in refuse(FileNotFoundError, ShapeNetCompletion, data_root=str(tmp_path / 'nowhere'))
    (shapenet / 'ShapeNet-34/test.txt').write_text('02691156-aa.npy\n../../secret.npy\n')
    text = refuse(ValueError, ShapeNetCompletion, data_root=str(shapenet), split='test', variant='ShapeNet-34')
    assert 'ShapeNet-34/test.txt, line 2' in text and 'refused' in text
    (shapenet / 'ShapeNet-34/test.txt').unlink()
    text = refuse(FileNotFoundError, ShapeNetCompletion, data_root=str(shapenet), split='test', variant='ShapeNet-34')
    assert 'ShapeNet-34/test.txt' in text


def test_completion_through_the_shipped_config(shapenet):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/shapenet_completion.py')
    cfg.train_dataloader.dataset.data_root = str(shapenet)
    train = DATASETS.build(cfg.train_dataloader.dataset)
    sample = train[(0, 1)]
    points, complete = sample['inputs']['points'].numpy(), sample['data_samples'].complete.numpy()
    assert points.shape == (2048, 3) and complete.shape == (8192, 3)
    assert rows(points) < rows(complete)
    assert np.linalg.norm(complete, axis=1).max() == pytest.approx(1, abs=1e-5)  # the whole cloud is what is scaled
    assert train.metainfo['normalize'] == 'unit_sphere'
    assert not np.array_equal(points, train[(1, 1)]['inputs']['points'])
    for part in cfg.val_dataloader.dataset.datasets:
        part.data_root = str(shapenet)
    val = DATASETS.build(cfg.val_dataloader.dataset)
    assert isinstance(val, ConcatDataset) and len(val) == 8 * len(LISTS['ShapeNet-55/test'])
    samples = [val[index] for index in range(8)]
    partials = [rows(sample['inputs']['points']) for sample in samples]
    assert all(one & two != one for number, one in enumerate(partials) for two in partials[:number])
    np.testing.assert_array_equal(samples[5]['inputs']['points'], val[(7, 5)]['inputs']['points'])  # nothing is drawn
    for sample, corner in zip(samples, VIEWPOINTS):
        complete = sample['data_samples'].complete.numpy()
        limit = np.median(np.linalg.norm(complete - corner, axis=1))
        kept = np.linalg.norm(sample['inputs']['points'].numpy() - corner, axis=1)
        assert kept.min() >= limit - 1e-6  # the nearer half is gone


def test_packed_completion_gives_the_same_samples(shapenet, tmp_path):
    pipeline = [{'type': 'LoadPoints'}, {'type': 'UnitSphere'}, {'type': 'CropViewpoint'}, {'type': 'PackInputs'}]
    cfg = {'type': 'ShapeNetCompletion', 'data_root': str(shapenet), 'variant': 'ShapeNet-55', 'pipeline': pipeline}
    raw, packed = DATASETS.build(cfg), packed_twin(tmp_path / 'packed', **cfg)
    for key in ((0, 0), (3, 1)):
        np.testing.assert_array_equal(raw[key]['inputs']['points'], packed[key]['inputs']['points'])
        np.testing.assert_array_equal(raw[key]['data_samples'].complete, packed[key]['data_samples'].complete)
    with pytest.raises(ValueError, match='ShapeNet-34'):
        DATASETS.build({**cfg, 'data_root': str(tmp_path / 'packed'), 'packed': True, 'variant': 'ShapeNet-34'})


def test_the_generated_twin_of_completion():
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/shapenet_completion_synthetic.py')
    parts = [cfg.train_dataloader.dataset, *cfg.val_dataloader.dataset.datasets]
    for part in parts:
        part.update(size=1, cache_dir=None)
    train, *val = [DATASETS.build(part)[0] for part in parts]
    assert len(val) == 8
    for sample in (train, val[0], val[7]):
        points, complete = sample['inputs']['points'].numpy(), sample['data_samples'].complete.numpy()
        assert points.shape == (2048, 3) and complete.shape == (8192, 3) and rows(points) < rows(complete)
    assert rows(val[0]['data_samples'].complete) == rows(val[7]['data_samples'].complete)
    assert rows(val[0]['inputs']['points']) != rows(val[7]['inputs']['points'])
