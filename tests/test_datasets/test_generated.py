"""The generated data set: its cache, its loaders, its configs."""

import json
import multiprocessing
import os
import pickle
import runpy
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmpt.datasets import SyntheticShapes
from mmpt.datasets.synthetic.cache import Field, build_cache, open_cache
from mmpt.registry import DATASETS
from mmpt.utils.errors import ConfigError

ROOT = Path(__file__).parents[2]
SMALL = {'size': 70, 'num_points': 256, 'views': 2, 'image_size': 16}


def equal(one, two):
    assert one.keys() == two.keys()
    for key, value in one.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == two[key].dtype, key
            np.testing.assert_array_equal(value, two[key], err_msg=key)
        elif key != 'rng':
            assert value == two[key], key


@pytest.mark.parametrize('kind', ['composites', 'categories'])
def test_cached_samples_are_the_generated_ones_bit_for_bit(tmp_path, kind):
    plain = SyntheticShapes(kind, 'train', **SMALL)
    cached = SyntheticShapes(kind, 'train', cache_dir=str(tmp_path), cache_workers=2, **SMALL)
    for index in (0, 1, 33, 63, 64, 69):
        equal(plain[index], cached[index])
    cached[5]['points'][:] = 0  # the caller's own copy
    equal(plain[5], cached[5])
    assert not list(tmp_path.glob('*.partial'))
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert json.loads((folder / 'about.json').read_text())['size'] == 70


def test_the_cache_is_named_after_everything_that_matters(tmp_path, monkeypatch):
    small = {'size': 2, 'num_points': 64, 'cache_dir': str(tmp_path)}
    variants = [
        {},
        {'seed': 1},
        {'split': 'test'},
        {'kind': 'categories'},
        {'num_points': 65},
        {'size': 3},
        {'views': 1},
    ]
    variants += [{'views': 1, 'image_size': 8}, {'views': 1, 'elevation': (0, 1)}]
    for variant in variants * 2:
        SyntheticShapes(**{**small, **variant})
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == len(variants)
    monkeypatch.setattr('mmpt.datasets.synthetic.dataset.generator_version', lambda: 'changed')
    SyntheticShapes(**small)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == len(variants) + 1


def test_a_second_start_generates_nothing(tmp_path, monkeypatch):
    SyntheticShapes(cache_dir=str(tmp_path), **SMALL)
    monkeypatch.setattr(SyntheticShapes, '_make', lambda self, index: pytest.fail('generated again'))
    SyntheticShapes(cache_dir=str(tmp_path), **SMALL)[3]


def test_samples_do_not_depend_on_the_size_nor_on_what_was_read_before():
    few, many = SyntheticShapes(size=3, num_points=128), SyntheticShapes(size=1000, num_points=128)
    many[7]
    equal(few[2], many[2])


def test_splits_and_seeds_share_no_shape():
    def first(**kwargs):
        return SyntheticShapes('categories', size=1, num_points=64, **kwargs)[0]['points'].tobytes()

    clouds = {first(split=split, seed=seed) for split in ('pretrain', 'train', 'test') for seed in (0, 1, 2)}
    assert len(clouds) == 9


def test_categories_are_balanced_and_labelled():
    data = SyntheticShapes('categories', 'test', size=60, num_points=64)
    classes = data.metainfo['classes']
    samples = [data[index] for index in range(60)]
    counts = np.bincount([sample['label'] for sample in samples], minlength=len(classes))
    assert len(classes) >= 16 and counts.max() - counts.min() <= 1
    for sample in samples:
        assert sample['class_name'] == classes[sample['label']]
        assert sample['parts'].dtype == np.int64
        assert 0 <= sample['parts'].min() <= sample['parts'].max() < len(data.metainfo['part_names'][sample['label']])


def test_pictures_show_the_shape_from_different_sides():
    sample = SyntheticShapes(size=4, views=3, image_size=32)[1]
    images = sample['images'].astype(int)
    assert images.shape == (3, 32, 32, 3) and sample['has_image'].all()
    assert ((images < 255).any(axis=-1).mean(axis=(1, 2)) > 0.02).all()
    assert abs(images[0] - images[1]).mean() > 1


def test_unknown_kind_and_split():
    with pytest.raises(ValueError, match='composites or categories'):
        SyntheticShapes('spheres', size=1)
    with pytest.raises(ValueError, match='split'):
        SyntheticShapes(split='val', size=1)


def slow_build(folder, pause):
    """Build a cache of 500 samples and note in a log who made which; runs in a process of its own."""

    def make(index):
        with open(folder / 'log', 'a') as file:
            file.write(f'{os.getpid()} {index}\n')
        time.sleep(pause)
        return {'x': np.full(3, index, np.float32)}

    build_cache(folder / 'data', {'x': Field((3,), 'float32')}, 500, make, about={}, workers=2)


def start(folder, pause):
    # Forked, because a fresh interpreter would import torch for seconds.
    process = multiprocessing.get_context('fork').Process(target=slow_build, args=(folder, pause))
    process.start()
    return process


def log(folder):
    path = folder / 'log'
    return [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'did not happen in time'
        time.sleep(0.02)


def alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


linux = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='forks, and reads /proc')


@linux
def test_a_killed_generation_leaves_nothing_wrong_and_the_next_goes_on(tmp_path):
    process = start(tmp_path, 0.004)
    done = tmp_path / 'data.partial' / 'done'
    wait_for(lambda: done.is_dir() and len(os.listdir(done)) >= 2)
    process.kill()
    process.join()
    assert not (tmp_path / 'data').exists()
    workers = {pid for pid, _ in log(tmp_path)}
    assert len(workers) == 2 and process.pid not in workers
    wait_for(lambda: not any(map(alive, workers)))  # they notice that nobody waits
    finished = [int(name) for name in os.listdir(done)]
    before = len(log(tmp_path))
    second = start(tmp_path, 0)
    second.join()
    assert second.exitcode == 0
    again = {index for _, index in log(tmp_path)[before:]}
    kept = {index for chunk in finished for index in range(64 * chunk, min(64 * chunk + 64, 500))}
    assert again == set(range(500)) - kept
    assert sorted(path.name for path in (tmp_path / 'data').iterdir()) == ['about.json', 'x.npy']
    array = open_cache(tmp_path / 'data', {'x': Field((3,), 'float32')})['x']
    np.testing.assert_array_equal(array, np.repeat(np.arange(500, dtype=np.float32)[:, None], 3, axis=1))


@linux
def test_of_two_processes_one_generates_and_the_other_waits(tmp_path, capfd):
    processes = [start(tmp_path, 0.002) for _ in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(log(tmp_path)) == 500
    messages = capfd.readouterr().err
    assert messages.count('generating 500') == 1 and messages.count('waiting for') == 1


@pytest.mark.parametrize('workers', [1, 2])
def test_a_generator_that_fails_is_told_and_leaves_no_cache(tmp_path, workers):
    def make(index):
        if index == 70:
            raise ValueError('shape 70 is broken')
        return {'x': np.zeros(1)}

    arguments = ({'x': Field((1,), 'float32')}, 200, make)
    with pytest.raises(RuntimeError, match='sample 70 failed with ValueError: shape 70 is broken'):
        build_cache(tmp_path / 'data', *arguments, about={}, workers=workers)
    assert not (tmp_path / 'data').exists()


def test_a_torn_layout_is_started_over(tmp_path):
    partial = tmp_path / 'data.partial'
    (partial / 'done').mkdir(parents=True)
    (partial / 'done' / '0').touch()
    (partial / 'x.npy').write_bytes(b'\x93NUMPY')
    build_cache(
        tmp_path / 'data', {'x': Field((1,), 'int64')}, 3, lambda index: {'x': np.array([index])}, about={}, workers=1
    )
    assert open_cache(tmp_path / 'data', {'x': Field((1,), 'int64')})['x'].ravel().tolist() == [0, 1, 2]


def test_a_disk_without_room_is_said_before_anything_is_generated(tmp_path):
    with pytest.raises(OSError, match='cache_dir=None') as error:
        build_cache(tmp_path / 'data', {'x': Field((1 << 40,), 'float32')}, 1 << 20, None, about={})
    assert '\n' not in str(error.value)


class Pairs:
    """A sampler of (epoch, index) keys in a fixed shuffled order."""

    def __iter__(self):
        order = np.random.default_rng(0)
        yield from ((epoch, int(index)) for epoch in (4, 5) for index in order.permutation(12))

    def __len__(self):
        return 24


def training_set(tmp_path):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/synthetic.py').train_dataloader.dataset
    cfg.update(size=12, num_points=1100, views=2, cache_dir=None if tmp_path is None else str(tmp_path))
    return DATASETS.build(cfg)


def batches(dataset, **kwargs):
    loader = DataLoader(dataset, batch_size=6, sampler=Pairs(), collate_fn=pseudo_collate, **kwargs)
    return list(loader)


@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_0_1_and_3_workers_give_identical_batches(tmp_path):
    expected = batches(training_set(None))
    assert len(expected) == 4
    cached = training_set(tmp_path)
    runs = [batches(cached, num_workers=workers) for workers in (0, 1, 3)]
    # What a spawned worker would get: not the contents of the memory maps, but where they are.
    assert len(pickle.dumps(cached)) < 10_000
    runs.append(batches(pickle.loads(pickle.dumps(cached))))
    for run in runs:
        for one, two in zip(expected, run, strict=True):
            assert one['inputs'].keys() == two['inputs'].keys() == {'points', 'images', 'has_image'}
            for key, values in one['inputs'].items():
                assert all(map(torch.equal, values, two['inputs'][key])), key
            for a, b in zip(one['data_samples'], two['data_samples'], strict=True):
                assert dict(a.metainfo_items()) == dict(b.metainfo_items())
    first, last = expected[0], expected[3]
    assert {sample.epoch for sample in first['data_samples']} == {4}
    assert {sample.epoch for sample in last['data_samples']} == {5}


@pytest.mark.parametrize('name', ['synthetic', 'shapenet'])
def test_the_labelled_part_of_the_shipped_configs(tmp_path, name):
    cfg = Config.fromfile(ROOT / f'configs/_base_/datasets/{name}.py').val_dataloader.dataset
    for part in cfg.datasets:
        part.update(size=32, cache_dir=str(tmp_path))
    data = DATASETS.build(cfg)
    assert data.metainfo['split'] == ('train', 'test') and data.metainfo['normalize'] == 'unit_sphere'
    first, last = data[0], data[63]
    assert (first['data_samples'].split, last['data_samples'].split) == ('train', 'test')
    assert (last['data_samples'].index, last['data_samples'].label) == (63, 31 % len(data.metainfo['classes']))
    assert first['inputs']['points'].shape == (1024, 3) and first['data_samples'].parts.shape == (1024,)
    assert torch.equal(first['inputs']['points'], data[(9, 0)]['inputs']['points'])  # evaluation draws nothing


def test_the_contact_sheet_of_a_config(tmp_path, monkeypatch, capsys):
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/synthetic.py')
    cfg.train_dataloader.dataset.update(size=5, cache_dir=None)
    for part in cfg.val_dataloader.dataset.datasets:
        part.update(size=20, cache_dir=None)
    cfg.dump(tmp_path / 'config.py')
    tool = runpy.run_path(str(ROOT / 'tools/visualization/browse_dataset.py'))
    for split, number in (('train', 8), ('val', 12)):
        command = ['browse', str(tmp_path / 'config.py'), '--split', split, '--num', str(number)]
        monkeypatch.setattr(sys, 'argv', [*command, '--out', str(tmp_path / f'{split}.png')])
        tool['main']()
        sheet = cv2.imread(str(tmp_path / f'{split}.png'))
        assert sheet.shape[0] > 150 and 0.03 < (sheet < 250).any(axis=-1).mean() < 0.9
    printed = capsys.readouterr().out
    assert 'chair 2' in printed and 'with pictures: 2 of the 2' in printed and 'largest radius 1.000' in printed
    monkeypatch.setattr(sys, 'argv', ['browse', str(tmp_path / 'config.py'), '--split', 'test'])
    with pytest.raises(ConfigError, match='no test_dataloader'):
        tool['main']()
