"""ShapeNetPart in exactly its released layouts, as text files and as the h5 export."""

import builtins
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from _packed import packed_twin
from _shapenet_part import LISTS, RANGES, cloud, write_h5, write_h5_release, write_text, write_text_release
from mmengine.config import Config

from mmpt.datasets import ShapeNetPart
from mmpt.datasets.shapenet_part import PART_CLASSES, PART_RANGES
from mmpt.datasets.verification import check_counts
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def text(tmp_path):
    return write_text_release(tmp_path)


@pytest.fixture
def h5(tmp_path):
    return write_h5_release(tmp_path)


def test_the_part_ranges_are_those_of_the_release():
    assert len(PART_CLASSES) == 16 and PART_RANGES[0] == (0, 4) and PART_RANGES[-1] == (47, 50)
    assert all(end == start for (_, end), (start, _) in zip(PART_RANGES, PART_RANGES[1:]))
    for (synset, _, _), (start, end) in zip(PART_CLASSES, PART_RANGES):
        if synset in RANGES:
            assert RANGES[synset] == (start, end - 1)
    assert dict(zip((name for _, name, _ in PART_CLASSES), PART_RANGES))['lamp'] == (24, 28)


def test_text_gives_points_normals_and_parts_within_the_class(text):
    for split, lists in (('train', ['train']), ('val', ['val']), ('test', ['test']), ('trainval', ['train', 'val'])):
        data = ShapeNetPart(str(text), split)
        entries = [entry for name in lists for entry in LISTS[name]]
        assert len(data) == len(entries) and data.metainfo['split'] == split
        for index, entry in enumerate(entries):
            sample, table = data[index], cloud(entry)
            assert sample['sample_id'] == entry.replace('/', '-') and sample['split'] in lists
            np.testing.assert_allclose(sample['points'], table[:, :3], atol=1e-6)
            np.testing.assert_allclose(sample['normals'], table[:, 3:6], atol=1e-6)
            assert sample['points'].flags.c_contiguous and sample['points'].dtype == np.float32
            assert sample['parts'].dtype == np.int64 and sample['parts'].min() == 0
            offset = data.metainfo['part_ranges'][sample['label']][0]
            np.testing.assert_array_equal(sample['parts'] + offset, table[:, 6])
            assert PART_CLASSES[data.label(index)][0] == entry.split('/')[0]
            assert sample['class_name'] == data.metainfo['classes'][sample['label']]
    assert data.metainfo['variant'] == 'text' and data.metainfo['up_axis'] == 'y'


def test_published_counts_are_compared_in_every_split(text, h5):
    published = {'train': 12137, 'val': 1870, 'trainval': 14007, 'test': 2874}
    assert published['train'] + published['val'] == published['trainval'] == 16881 - published['test']
    for variant, root in (('text', text), ('h5', h5)):
        for split, count in published.items():
            (finding,) = check_counts(ShapeNetPart(str(root), split, variant=variant))
            assert finding.level == 'problem' and f'published are {count:,}' in finding.text


def test_h5_gives_the_same_kind_of_samples(h5):
    data = ShapeNetPart(str(h5), 'train', variant='h5')
    assert len(data) == 4 + 5 + 6 + 7 + 8 + 9 and len(ShapeNetPart(str(h5), 'trainval', variant='h5')) == 39 + 4
    assert len({data[i]['sample_id'] for i in range(len(data))}) == len(data)
    with h5py.File(h5 / 'ply_data_train1.h5') as file:
        for row in range(5):
            sample = data[4 + row]
            assert sample['sample_id'] == f'ply_data_train1.h5-{row:04d}'
            np.testing.assert_array_equal(sample['points'], file['data'][row])
            assert sample['label'] == data.label(4 + row) == file['label'][row, 0]
            offset = data.metainfo['part_ranges'][sample['label']][0]
            np.testing.assert_array_equal(sample['parts'] + offset, file['pid'][row])
            assert sample['parts'].dtype == np.int64 and 'normals' not in sample
    sample['points'][:] = 0
    assert data[8]['points'].any()  # what a sample does with its points is its own matter


@pytest.mark.parametrize('name', ['shapenet_part', 'shapenet_part_h5'])
def test_part_data_through_the_shipped_configs(text, h5, name):
    cfg = Config.fromfile(ROOT / f'configs/_base_/datasets/{name}.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(h5 if 'h5' in name else text)
        data = DATASETS.build(loader.dataset)
        packed = data[(1, 1)]
        points, parts = packed['inputs']['points'], packed['data_samples'].parts
        assert points.shape == (2048, 3) and parts.shape == (2048,)
        assert int(parts.min()) >= 0 and int(parts.max()) < PART_CLASSES[packed['data_samples'].label][2]
        assert 1000 < len(np.unique(points.numpy(), axis=0)) < 1480  # drawn with replacement, from 1,500 points or more
    assert data.metainfo['split'] == 'test' and data.metainfo['normalize'] == 'unit_sphere'


def test_the_generated_twin_of_part_data():
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/shapenet_part_synthetic.py')
    for loader, split in ((cfg.train_dataloader, 'train'), (cfg.val_dataloader, 'test')):
        loader.dataset.update(size=3, cache_dir=None)
        data = DATASETS.build(loader.dataset)
        sample = data[2]
        assert sample['inputs']['points'].shape == (2048, 3) and data.metainfo['split'] == split
        parts = sample['data_samples'].parts
        assert 0 <= int(parts.min()) <= int(parts.max()) < len(data.metainfo['part_names'][2])


@pytest.mark.parametrize('variant', ['text', 'h5'])
def test_packed_part_data_give_the_same_samples(text, h5, tmp_path, variant):
    root = text if variant == 'text' else h5
    cfg = {'type': 'ShapeNetPart', 'data_root': str(root), 'split': 'trainval', 'variant': variant}
    cfg['pipeline'] = [{'type': 'UnitSphere'}, {'type': 'ResamplePoints', 'num_points': 2048, 'mode': 'replace'}]
    raw, packed = DATASETS.build(cfg), packed_twin(tmp_path / 'packed', **cfg)
    assert len(raw) == len(packed) and packed.metainfo['part_ranges'] == raw.metainfo['part_ranges'] == PART_RANGES
    for index in range(len(raw)):
        one, two = raw[(2, index)], packed[(2, index)]
        assert one['sample_id'] == two['sample_id'] and raw.label(index) == packed.label(index) == one['label']
        for key in ('points', 'parts', *(['normals'] if variant == 'text' else [])):
            np.testing.assert_array_equal(one[key], two[key])
            assert one[key].dtype == two[key].dtype


def test_opening_the_text_files_looks_at_no_shape(text, monkeypatch):
    touched = []
    real_open, stat = builtins.open, os.stat
    monkeypatch.setattr(os, 'listdir', lambda path='.': pytest.fail(f'listed {path}'))
    monkeypatch.setattr(os, 'scandir', lambda path='.': pytest.fail(f'walked {path}'))
    monkeypatch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
    monkeypatch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
    ShapeNetPart(str(text), 'trainval')
    assert not [path for path in touched if any(entry in path for entries in LISTS.values() for entry in entries)]


def refuse(kind, **kwargs):
    with pytest.raises(kind) as error:
        ShapeNetPart(**kwargs)
    message = str(error.value)
    assert '\n' not in message and message.endswith('.')
    return message


def test_missing_pieces_are_said_in_one_sentence(text, h5, tmp_path):
    message = refuse(FileNotFoundError, data_root=str(tmp_path / 'nowhere'))
    assert 'nowhere' in message and 'shapenet.org' in message and 'shapenet_part_synthetic.py' in message
    refuse(ValueError, data_root=str(text), split='whole')
    refuse(ValueError, data_root=str(text), variant='npz')
    (text / 'train_test_split' / 'shuffled_val_file_list.json').unlink()
    assert 'shuffled_val_file_list.json' in refuse(FileNotFoundError, data_root=str(text), split='trainval')
    (h5 / 'ply_data_train4.h5').unlink()
    assert 'ply_data_train4.h5' in refuse(FileNotFoundError, data_root=str(h5), variant='h5')
    (text / f'{LISTS["train"][1]}.txt').unlink()
    with pytest.raises(FileNotFoundError, match='9d3b07f4475d501e8249f134aca4c817'):
        ShapeNetPart(str(text))[1]


@pytest.mark.parametrize(
    'entry',
    ['shape_data/../secret', 'shape_data/02691156/../../secret', '/etc/passwd', 'shape_data/02691156', 7,
     'shape_data/02691156/..', 'shape_data/99999999/a', 'other/02691156/a', 'shape_data/02691156/a\\b'],
)  # fmt: skip
def test_a_list_cannot_lead_out_of_the_root(text, entry):
    path = text / 'train_test_split' / 'shuffled_train_file_list.json'
    path.write_text(json.dumps(['shape_data/02691156/fine', entry]))
    message = refuse(ValueError, data_root=str(text))
    assert 'shuffled_train_file_list.json, entry 2' in message and repr(entry) in message and 'refused' in message


def test_lists_that_are_none(text):
    path = text / 'train_test_split' / 'shuffled_train_file_list.json'
    for content in ('[]', '{"a": 1}', '["shape_data/02691156/a"', ''):
        path.write_text(content)
        assert 'shuffled_train_file_list.json' in refuse(ValueError, data_root=str(text))
    path = text / 'synsetoffset2category.txt'
    path.write_text(path.read_text().replace('Bag\t02773838\n', ''))
    message = refuse(ValueError, data_root=str(text), split='val')
    assert 'synsetoffset2category.txt' in message and '15 lines' in message


@pytest.mark.parametrize(
    ('row', 'column', 'value', 'said'),
    [
        (4, 6, 4, 'part 4, expected 0 to 3, the parts of class airplane'),
        (4, 6, 1.5, 'part 1.5'),
        (4, 6, -1, 'part -1'),
        (4, 6, np.nan, 'part nan'),
        (4, 6, 1e30, 'part 1e+30'),
        (4, 1, np.nan, 'finite'),
        (4, 2, np.inf, 'finite'),
    ],
)
def test_wrong_numbers_of_a_text_file_are_named(text, row, column, value, said):
    path = text / f'{LISTS["train"][0]}.txt'
    table = cloud(LISTS['train'][0])
    table[row, column] = value
    write_text(path, table)
    with pytest.raises(ValueError) as error:
        ShapeNetPart(str(text))[0]
    message = str(error.value)
    assert str(path) in message and said in message and '\n' not in message


def test_text_files_that_are_none(text):
    path = text / f'{LISTS["train"][0]}.txt'
    whole = path.read_bytes()
    for content in (b'', whole[: len(whole) // 2 - 3] + b'\n0.1 0.2', b'\x89PNG\r\n', b'1 2 3\n', b'a b c d e f g\n'):
        path.write_bytes(content)
        with pytest.raises(ValueError) as error:
            ShapeNetPart(str(text))[0]
        assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_wrong_h5_files_are_named_when_they_are_opened(h5):
    path = h5 / 'ply_data_val0.h5'
    whole = path.read_bytes()
    with h5py.File(path) as file:
        data, label, pid = (file[key][()] for key in ('data', 'label', 'pid'))

    def said(content=None, **change):
        if content is None:
            write_h5(path, **{'data': data, 'label': label, 'pid': pid, **change})
        else:
            path.write_bytes(content)
        message = refuse(ValueError, data_root=str(h5), split='val', variant='h5')
        assert 'ply_data_val0.h5' in message
        return message

    said(whole[: len(whole) // 2])
    said(b'')
    said(b'no h5 at all')
    assert '16' in said(label=np.full_like(label, 16))
    wrong = pid.copy()
    wrong[2, 100] = PART_RANGES[label[2, 0]][0] - 1 if label[2, 0] else 4
    message = said(pid=wrong)
    assert 'shape 2' in message and f'part {wrong[2, 100]}' in message
    said(label=label[:3])
    said(pid=pid[:, :1000])
    said(data=data[:, :, :2])
    data[1, 7] = np.nan
    write_h5(path, data, label, pid)
    with pytest.raises(ValueError, match=r"'ply_data_val0\.h5-0001'"):
        ShapeNetPart(str(h5), 'val', variant='h5')[1]
