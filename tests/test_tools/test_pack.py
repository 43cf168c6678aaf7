"""tools/dataset_converters/pack.py: packed data give the samples of the raw ones, whatever happened while packing."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmpt.datasets.shards import verify
from mmpt.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'dataset_converters' / 'pack.py'
SYNSETS = ('02691156', '03001627', '04379243')
PIPELINE = [
    {'type': 'LoadPoints'},
    {'type': 'LoadImages', 'num_views': 2, 'size': 16},
    {'type': 'RandomSample', 'num_points': 64},
    {'type': 'UnitSphere'},
    {'type': 'ScaleAndTranslate'},
    {'type': 'PointDropout'},
    {'type': 'ColorJitter'},
    {'type': 'PackInputs', 'image_views': 2, 'image_size': 16},
]


def shapenet(folder, count, points=200):
    """ShapeNet-55 and its pictures in the released layout; every third shape has pictures, one to four."""
    (folder / 'raw' / 'ShapeNet-55').mkdir(parents=True)
    (folder / 'raw' / 'shapenet_pc').mkdir()
    for split, shapes in (('train', count), ('test', 3)):
        stems = [f'{SYNSETS[number % 3]}-{split}{number:03d}' for number in range(shapes)]
        (folder / 'raw' / 'ShapeNet-55' / f'{split}.txt').write_text(''.join(f'{stem}.npy\n' for stem in stems))
        for number, stem in enumerate(stems):
            rng = np.random.default_rng(number)
            cloud = rng.standard_normal((points, 3)).astype(np.float32)
            np.save(folder / 'raw' / 'shapenet_pc' / f'{stem}.npy', cloud)
            if number % 3 == 0:
                pictures = folder / 'pictures' / stem.split('-')[0] / stem.split('-')[1] / 'rendering'
                pictures.mkdir(parents=True)
                for view in range(1 + number % 4):
                    picture = rng.integers(0, 256, (20, 20, 4), dtype=np.uint8)
                    cv2.imwrite(str(pictures / f'{view:02d}.png'), picture)


def cfg_of(split='train', **changes):
    cfg = {'type': 'ShapeNet', 'data_root': 'raw', 'images_root': 'pictures', 'split': split, 'pipeline': PIPELINE}
    return {**cfg, **changes}


def write_config(path, train, val=None):
    path.write_text(
        f'train_dataloader = dict(dataset={train!r})\n' + (f'val_dataloader = dict(dataset={val!r})\n' if val else '')
    )


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder to stand in, with ShapeNet and a config of it."""
    shapenet(tmp_path, 12)
    write_config(tmp_path / 'config.py', cfg_of(), {'type': 'ConcatDataset', 'datasets': [cfg_of(), cfg_of('test')]})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('pack_tool', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    # Known by name, as workers that are spawned would need it.
    sys.modules['pack_tool'] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules['pack_tool']


@pytest.fixture
def pack(tool, monkeypatch, capsys):
    """Run the tool in this process; returns exit code, stdout and stderr."""
    from mmpt.utils.errors import run

    def call(*args, workers=0):
        monkeypatch.setattr(sys, 'argv', ['pack.py', *args, '--workers', str(workers)])
        code = run(tool.main)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def contents(folder):
    files = [path for path in sorted(folder.rglob('*')) if path.is_file() and path.suffix != '.lock']
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def same(one, other):
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            same(a, b)
    elif hasattr(one, 'all_items'):
        same(dict(one.all_items()), dict(other.all_items()))
    else:
        assert type(one) is type(other) and one == other


def samples(data, workers, epochs=3):
    keys = [(epoch, index) for epoch in range(epochs) for index in range(len(data))]
    return list(DataLoader(data, 5, sampler=keys, num_workers=workers, collate_fn=pseudo_collate))


def test_packed_shapenet_gives_the_samples_of_the_files(tree, pack):
    code, out, err = pack('config.py', 'packed')
    assert code == 0 and "packed=True, data_root='packed'" in out
    assert 'packed/train: packing ShapeNet, 12 shapes' in err and 'packed/test: packing ShapeNet, 3 shapes' in err
    assert 'packed already' not in err  # the second part of the config that is ShapeNet, train, is the first one
    for split in ('train', 'test'):
        raw = DATASETS.build(cfg_of(split))
        packed = DATASETS.build(cfg_of(split, data_root='packed', packed=True))
        assert raw.metainfo == packed.metainfo and len(raw) == len(packed)
        assert [raw.label(k) for k in range(len(raw))] == [packed.label(k) for k in range(len(raw))]
        expected = samples(raw, 0)
        for workers in (0, 2):
            same(expected, samples(packed, workers))
        # Epochs differ, and so do views: the packed data are not one epoch's draws.
        points = torch.stack([sample for batch in expected for sample in batch['inputs']['points']])
        assert len(points.unique(dim=0)) == len(points)
    with_pictures = [bool(sample['inputs']['has_image'].any()) for sample in (raw[0], raw[1])]
    assert with_pictures == [True, False]
    picked = DATASETS.build(cfg_of(data_root='packed', packed=True, indices=[7, 2]))
    same(picked[(1, 0)], DATASETS.build(cfg_of(indices=[7, 2]))[(1, 0)])


def test_packed_data_need_none_of_the_files(tree, pack):
    expected = samples(DATASETS.build(cfg_of()), 0, epochs=1)
    pack('config.py', 'packed')
    shutil.rmtree('raw')
    shutil.rmtree('pictures')
    same(expected, samples(DATASETS.build(cfg_of(data_root='packed', packed=True)), 0, epochs=1))


def test_a_record_holds_clouds_and_the_bytes_of_pictures_and_no_paths(tree, pack):
    pack('config.py', 'packed')
    packed = DATASETS.build(cfg_of(data_root='packed', packed=True))
    info = packed.load_info(3)
    assert set(info) == {'sample_id', 'split', 'label', 'points', 'image_bytes'}
    stem = '02691156-train003'
    assert info['sample_id'] == stem and info['points'].dtype == np.float32
    np.testing.assert_array_equal(info['points'], np.load(f'raw/shapenet_pc/{stem}.npy'))
    files = sorted(Path('pictures/02691156/train003/rendering').iterdir())
    assert len(files) == 4 and info['image_bytes'] == [file.read_bytes() for file in files]
    assert packed.load_info(1)['image_bytes'] == []


def test_workers_and_shard_sizes_change_no_record(tree, pack):
    pack('config.py', 'one', '--dataset-key', 'train_dataloader.dataset')
    code, _, _ = pack('config.py', 'two', '--dataset-key', 'train_dataloader.dataset', workers=2)
    assert code == 0
    one, two = contents(tree / 'one'), contents(tree / 'two')
    assert sorted(one) == ['train/index.bin', 'train/pack.json', 'train/shard-00000.bin']
    assert {**one, 'train/pack.json': b''} == {**two, 'train/pack.json': b''}


def test_generated_shapes_are_packed_when_they_are_asked_for(tree, pack):
    generated = {'type': 'SyntheticShapes', 'kind': 'categories', 'num_points': 64, 'views': 2, 'image_size': 16}
    pipeline = [{'type': 'PickViews', 'num_views': 1}, {'type': 'Jitter'}]
    pipeline.append({'type': 'PackInputs', 'feature_keys': ('normals',), 'image_views': 1, 'image_size': 16})
    val = {**generated, 'split': 'train', 'size': 9, 'pipeline': pipeline}
    write_config(tree / 'config.py', cfg_of(), val)
    _, _, err = pack('config.py', 'packed')
    assert 'left out, because it is generated' in err and 'val_dataloader.dataset' in err
    assert json.loads(Path('packed/train/pack.json').read_text())['dataset'] == 'ShapeNet'
    code, _, _ = pack('config.py', 'made', '--dataset-key', 'val_dataloader.dataset')
    assert code == 0
    raw, packed = DATASETS.build(val), DATASETS.build({**val, 'packed_root': 'made'})
    assert packed.metainfo == raw.metainfo and len(packed) == 9
    expected = samples(raw, 0, epochs=2)
    for workers in (0, 2):
        same(expected, samples(packed, workers, epochs=2))


# ---- what cannot be packed


def refused(answer):
    """The one sentence on stderr."""
    code, out, err = answer
    assert code == 2 and not out
    assert err.count('mmpt: ') == 1 and err.endswith('.\n'), err
    return err[err.index('mmpt: ') :]


def test_parts_that_would_share_a_folder_and_differ_are_refused(tree, pack):
    write_config(tree / 'config.py', cfg_of(), cfg_of(views=(0, 1)))
    text = refused(pack('config.py', 'packed'))
    assert "different data of the same split 'train'" in text and '--dataset-key val_dataloader.dataset' in text
    assert not (tree / 'packed').exists()
    assert pack('config.py', 'packed', '--dataset-key', 'val_dataloader.dataset')[0] == 0
    info = DATASETS.build(cfg_of(data_root='packed', packed=True)).load_info(3)
    assert len(info['image_bytes']) == 2 and len(list(Path('pictures/02691156/train003/rendering').iterdir())) == 4
    # The other one does not go into the same folder.
    text = refused(pack('config.py', 'packed', '--dataset-key', 'train_dataloader.dataset'))
    assert 'packed/train holds a pack with made_from' in text


@pytest.mark.parametrize('order', [1, -1])
def test_a_part_that_is_another_one_without_its_pictures_is_packed_with_it(tree, pack, order):
    clouds = cfg_of(pipeline=[{'type': 'LoadPoints'}, {'type': 'PackInputs'}])
    del clouds['images_root']
    write_config(tree / 'config.py', *[cfg_of(), clouds][::order])
    assert pack('config.py', 'packed')[0] == 0
    for cfg in (cfg_of(), clouds):
        packed = DATASETS.build({**cfg, 'data_root': 'packed', 'packed': True})
        same(samples(DATASETS.build(cfg), 0, epochs=1), samples(packed, 0, epochs=1))


def test_keys_and_configs_that_name_no_data(tree, pack):
    assert 'has no val_dataloader.data;' in refused(pack('config.py', 'packed', '--dataset-key', 'val_dataloader.data'))
    (tree / 'empty.py').write_text('a = 1\n')
    assert 'train_dataloader.dataset' in refused(pack('empty.py', 'packed'))
    assert 'nothing.py does not exist' in refused(pack('nothing.py', 'packed'))
    pack('config.py', 'packed')
    options = ('--cfg-options', 'train_dataloader.dataset.data_root=packed', 'train_dataloader.dataset.packed=True')
    text = refused(pack('config.py', 'again', '--dataset-key', 'train_dataloader.dataset', *options))
    assert 'reads packed data already' in text


def test_a_pipeline_that_reads_no_points_is_refused(tree, pack):
    write_config(tree / 'config.py', cfg_of(pipeline=PIPELINE[1:]))
    text = refused(pack('config.py', 'packed'))
    assert '02691156-train000' in text and 'begin with LoadPoints' in text


def test_a_pack_of_another_class_is_not_read(tree, pack):
    pack('config.py', 'packed')
    with pytest.raises(ValueError, match="packed/train holds packed data with dataset 'ShapeNet', expected 'Synthetic"):
        DATASETS.build({'type': 'SyntheticShapes', 'size': 3, 'split': 'train', 'packed_root': 'packed'})


def test_a_pack_says_how_long_the_rest_takes(tree, pack, monkeypatch):
    clock = iter(range(0, 10**6, 15))
    monkeypatch.setattr('mmpt.utils.progress.time', SimpleNamespace(monotonic=lambda: float(next(clock))))
    code, _, err = pack('config.py', 'out', '--limit', '2', '--dataset-key', 'train_dataloader.dataset')
    assert code == 0
    assert [line for line in err.splitlines() if line.startswith('train: ')] == [
        'train: 1 of 2 shapes, 0 MB, 0 a second, 15 s left',
        'train: 2 of 2 shapes, 0 MB, 0 a second, 0 s left',
        'train: 2 shapes, 0 MB, in 45 s',
    ]


def test_a_bad_sample_stops_the_pack_or_is_left_out_and_listed(tree, pack):
    for number, damage in ((4, lambda data: data[:100]), (7, lambda data: data[:128] + b'\xff' * 12 + data[140:])):
        path = tree / 'raw' / 'shapenet_pc' / f'{SYNSETS[number % 3]}-train{number:03d}.npy'
        path.write_bytes(damage(path.read_bytes()))
    (tree / 'raw' / 'shapenet_pc' / f'{SYNSETS[10 % 3]}-train010.npy').unlink()
    text = refused(pack('config.py', 'packed'))
    assert '03001627-train004.npy' in text and 'stopped at shape 4' in text and '--skip-bad' in text
    assert refused(pack('config.py', 'packed')) == text  # it went on at the same place
    code, _, err = pack('config.py', 'packed', '--skip-bad')
    assert code == 0 and err.count('left out: ') == 3 and '3 shapes are left out' in err
    skipped = json.loads(Path('packed/train/pack.json').read_text())['skipped']
    assert [entry['source'] for entry in skipped] == [4, 7, 10]
    for entry, said in zip(skipped, ('train004.npy', 'finite', 'train010')):
        assert said in entry['reason']
    packed = DATASETS.build(cfg_of(data_root='packed', packed=True))
    ids = [packed.load_info(k)['sample_id'][-3:] for k in range(len(packed))]
    assert ids == ['000', '001', '002', '003', '005', '006', '008', '009', '011']
    write_config(tree / 'config.py', cfg_of(on_bad_sample='skip'))  # the config may say so as well
    assert pack('config.py', 'other')[0] == 0
    assert contents(tree / 'other')['train/shard-00000.bin'] == contents(tree / 'packed')['train/shard-00000.bin']


def test_a_mistake_in_the_code_keeps_its_traceback(tree, pack):
    from mmpt.datasets import ShapeNet

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ShapeNet, 'load_info', lambda self, index: {'sample_id': str(index), 'points': np.zeros(int('x'))}
        )
        with pytest.raises(ValueError, match='invalid literal'):
            pack('config.py', 'packed', '--skip-bad')


def test_packing_stops_before_the_disk_is_full(tree, pack, tool, monkeypatch):
    usage = shutil.disk_usage(tree)
    monkeypatch.setattr(tool, '_CHECK_SPACE', 4)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, 'disk_usage', lambda path: usage._replace(free=1000))
        text = refused(pack('config.py', 'packed'))
    assert 'packed/train needs about 0 MB more for 8 shapes' in text and 'make room' in text
    code, _, err = pack('config.py', 'packed')
    assert code == 0 and 'from shape 4 on' in err


def test_ctrl_c_keeps_what_is_packed(tree, pack, tool, monkeypatch):
    def interrupted(part, index):
        if index == 5:
            raise KeyboardInterrupt
        return real(part, index)

    real = tool.read_shape
    with monkeypatch.context() as patch:
        patch.setattr(tool, 'read_shape', interrupted)
        code, _, err = pack('config.py', 'packed')
    assert code == 130 and 'what is packed stays' in err
    with pytest.raises(ValueError, match='not packed to its end'):
        DATASETS.build(cfg_of(data_root='packed', packed=True))
    assert 'from shape 5 on' in pack('config.py', 'packed')[2]
    pack('config.py', 'whole')
    assert contents(tree / 'packed')['train/index.bin'] == contents(tree / 'whole')['train/index.bin']


def test_limit_packs_the_first_shapes(tree, pack):
    assert pack('config.py', 'packed', '--limit', '5')[0] == 0
    packed = DATASETS.build(cfg_of(data_root='packed', packed=True))
    assert len(packed) == 5
    same(packed[(1, 4)], DATASETS.build(cfg_of())[(1, 4)])
    assert 'total 5, and this one would have 12' in refused(pack('config.py', 'packed'))


# ---- killed


@pytest.mark.slow
def test_kill_9_in_the_middle_and_again_gives_the_same_bytes(tmp_path, pack, monkeypatch):
    """Twice killed while its workers read, then finished, against never stopped: the same files."""
    killed, whole = tmp_path / 'killed', tmp_path / 'whole'
    killed.mkdir()
    shapenet(killed, 150, points=16384)
    write_config(killed / 'config.py', cfg_of(pipeline=PIPELINE[:2]))
    shutil.copytree(killed, whole)
    options = ('config.py', 'packed', '--shard-size', '1')
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    for wanted in (4, 12):
        process = subprocess.Popen([sys.executable, str(SCRIPT), *options, '--workers', '2'], cwd=killed, env=env)
        while not (killed / 'packed' / 'train' / f'shard-{wanted:05d}.bin').exists() and process.poll() is None:
            time.sleep(0.001)
        tasks = Path(f'/proc/{process.pid}/task/{process.pid}/children')
        workers = tasks.read_text().split() if tasks.exists() else []
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
        # Workers do not outlive it; without /proc there is nothing to look at.
        end = time.monotonic() + 20
        while any(Path(f'/proc/{worker}').exists() for worker in workers):
            assert time.monotonic() < end, workers
            time.sleep(0.05)
    assert not json.loads((killed / 'packed' / 'train' / 'pack.json').read_text())['complete']
    monkeypatch.chdir(killed)
    code, _, err = pack(*options, workers=2)
    assert code == 0 and 'from shape ' in err
    monkeypatch.chdir(whole)
    pack(*options, workers=2)
    assert len(list((whole / 'packed' / 'train').glob('shard-*'))) > 20
    assert contents(killed / 'packed') == contents(whole / 'packed')
    assert verify(killed / 'packed' / 'train') == []
