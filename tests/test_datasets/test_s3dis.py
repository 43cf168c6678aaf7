"""S3DIS: a release of a few small rooms, converted by the command and read through the class."""

from __future__ import annotations

import builtins
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _packed import packed_twin
from mmengine.config import Config

from mmpt.datasets import S3DIS
from mmpt.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 'ceiling floor wall beam column window door table chair sofa bookcase board clutter'
CLASSES = CLASSES.split()
ROOMS = [f'Area_{area}/office_1' for area in range(1, 7)] + ['Area_5/hallway_6', 'Area_2/WC_1']


def rows(count, seed):
    rng = np.random.default_rng(seed)
    xyz = np.round(rng.random((count, 3)) * [4, 3, 2.5] + [-22.5, 6.0, 0.1], 3)
    return np.column_stack([xyz, rng.integers(0, 256, (count, 3))])


def text(table):
    return ''.join('{:.3f} {:.3f} {:.3f} {:.0f} {:.0f} {:.0f}\n'.format(*row) for row in table)


@pytest.fixture(scope='module')
def release(tmp_path_factory):
    """The layout of Stanford3dDataset_v1.2_Aligned_Version, oddities included; and what is in its files."""
    root = tmp_path_factory.mktemp('release') / 'Stanford3dDataset_v1.2_Aligned_Version'
    content = {}
    for number, room in enumerate(ROOMS):
        folder = root / room / 'Annotations'
        folder.mkdir(parents=True)
        objects = {'chair_1': 40, 'chair_10': 15, 'chair_2': 25, 'ceiling_1': 60, 'wall_1': 50}
        if room.endswith('WC_1'):
            objects['stairs_1'] = 12
        tables = {name: rows(count, number * 10 + k) for k, (name, count) in enumerate(objects.items())}
        for name, table in tables.items():
            (folder / f'{name}.txt').write_text(text(table))
        (root / room / f'{room.split("/")[1]}.txt').write_text(''.join(map(text, tables.values())))
        content[room.replace('/', '_')] = tables
    (root / 'Area_1' / '.DS_Store').write_bytes(b'\0\1')
    (root / 'Area_1' / 'office_1' / 'Annotations' / '.DS_Store').write_bytes(b'\0\1')
    (root / 'Area_5' / 'Area_5_alignmentAngle.txt').write_text('## alignment\noffice_1 180\n')
    # The two slips of the release: a character in place of a blank, and a copy of an object.
    path = root / 'Area_5' / 'hallway_6' / 'Annotations' / 'ceiling_1.txt'
    lines = path.read_bytes().split(b'\n')
    lines[7] = b'\x00'.join(lines[7].rsplit(b' ', 1))
    path.write_bytes(b'\n'.join(lines))
    wall = root / 'Area_5' / 'office_1' / 'Annotations' / 'wall_1.txt'
    (wall.parent / 'wall_1 (1).txt').write_text(wall.read_text())
    return root, content


def run(*args):
    command = [sys.executable, str(ROOT / 'tools/dataset_converters/s3dis.py'), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, 'OMP_NUM_THREADS': '1'})


@pytest.fixture(scope='module')
def converted(release, tmp_path_factory):
    out = tmp_path_factory.mktemp('s3dis')
    return out, run(release[0], out, '--instances', '--workers', '2')


def test_the_converter_writes_a_file_for_every_room_and_says_what_it_put_right(converted):
    out, done = converted
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in out.glob('*.npy'))
    assert names == sorted(room.replace('/', '_') + '.npy' for room in ROOMS)
    assert sorted(path.name for path in (out / 'instances').iterdir()) == names
    assert not [path for path in out.rglob('.*') if path.is_file()]
    assert re.search(r'Area_2_WC_1: stairs_1\.txt became clutter', done.stderr)
    assert re.search(r'Area_5_hallway_6: read 1 characters of ceiling_1\.txt', done.stderr)
    assert re.search(r'Area_5_office_1: left out wall_1 \(1\)\.txt', done.stderr)
    assert '8 of 8 rooms in' in done.stderr and '8 rooms in' in done.stdout


def test_a_room_is_read_as_it_was_written(release, converted):
    data = S3DIS(str(converted[0]), 'train', instances=True)
    assert [data.load_info(k)['sample_id'] for k in range(len(data))] == [
        'Area_1_office_1', 'Area_2_WC_1', 'Area_2_office_1', 'Area_3_office_1', 'Area_4_office_1', 'Area_6_office_1'
    ]  # fmt: skip
    for index, room in ((0, 'Area_1_office_1'), (1, 'Area_2_WC_1')):
        sample = data[index]
        tables = dict(sorted(release[1][room].items(), key=lambda item: f'{item[0]}.txt'))
        whole = np.concatenate(list(tables.values()))
        np.testing.assert_allclose(sample['points'], whole[:, :3] - whole[:, :3].min(axis=0), atol=1e-5)
        np.testing.assert_array_equal(sample['colors'], whole[:, 3:])
        names = [name.split('_')[0] for name, table in tables.items() for _ in table]
        expected = [CLASSES.index(name) if name in CLASSES else 12 for name in names]
        assert sample['semantic'].tolist() == expected
        assert sample['instance'].tolist() == [k for k, table in enumerate(tables.values()) for _ in table]
        types = {key: sample[key].dtype.name for key in ('points', 'colors', 'semantic', 'instance')}
        assert types == {'points': 'float32', 'colors': 'uint8', 'semantic': 'int64', 'instance': 'int64'}
    assert data.metainfo['classes'] == tuple(CLASSES) and data.metainfo['up_axis'] == 'z'
    expected = {split: data.EXPECTED_COUNTS[data.metainfo['variant'], split] for split in ('train', 'test')}
    assert expected == {'train': 204, 'test': 68}  # lines of PointNet's list of rooms, 272 in all


def test_the_slips_of_the_release_change_no_number(release, converted):
    data = S3DIS(str(converted[0]), 'test')
    tables = release[1]['Area_5_hallway_6']
    sample = data[0]
    assert sample['sample_id'] == 'Area_5_hallway_6' and 'instance' not in sample
    np.testing.assert_array_equal(sample['colors'][:60], tables['ceiling_1'][:, 3:])
    assert len(data[1]['points']) == 190  # the copy of the wall is not in it
    assert len(S3DIS(str(converted[0]), 'test', test_area=2)) == 2
    assert len(S3DIS(str(converted[0]), 'train', test_area=2)) == 6


def test_rooms_are_drawn_by_size_on_request(converted):
    data = S3DIS(str(converted[0]), 'test', points_per_sample=50)
    infos = [data.load_info(index) for index in range(len(data))]
    names = [info['sample_id'] for info in infos]
    assert names == [f'{room}/{k}' for room in ('Area_5_hallway_6', 'Area_5_office_1') for k in range(4)]
    assert all(len(info['points']) == 190 for info in infos)
    sampling = [{'type': 'RandomSample', 'num_points': 20}]
    drawn = S3DIS(str(converted[0]), 'test', points_per_sample=50, pipeline=sampling)
    assert not np.array_equal(drawn[0]['points'], drawn[1]['points'])
    assert len(S3DIS(str(converted[0]), 'test', points_per_sample=10**6)) == 2  # every room at least once


def test_the_command_goes_on_where_it_was_stopped(release, converted, tmp_path):
    out = tmp_path / 's3dis'
    shutil.copytree(converted[0], out)
    stamp = (out / 'Area_1_office_1.npy').stat().st_mtime_ns
    (out / 'Area_3_office_1.npy').unlink()
    (out / 'instances' / 'Area_4_office_1.npy').unlink()
    (out / '.Area_3_office_1.npy.writing').write_bytes(b'half of it')
    done = run(release[0], out, '--instances')
    assert done.returncode == 0 and '6 of them done before' in done.stderr
    assert (out / 'Area_1_office_1.npy').stat().st_mtime_ns == stamp and not list(out.glob('.*'))
    for path in converted[0].rglob('*.npy'):
        assert path.read_bytes() == (out / path.relative_to(converted[0])).read_bytes()


def test_bad_rooms_are_named_and_do_not_stop_the_others(tmp_path):
    breaks = {
        r'.*chair_1\.txt.*': '1 2 3 4 5\n' * 9,
        r'.*chair_1\.txt.*all of them finite': '1 2 3 nan 5 6\n',
        r'.*chair_1\.txt.*0 to 255': '1 2 3 4 5 256\n',
        r".*chair_1\.txt.*'five'": '1 2 3 4 five 6\n',
        r'.*Annotations holds no': None,
    }
    for number in range(1, len(breaks) + 3):
        folder = tmp_path / 'release' / 'Area_1' / f'office_{number}' / 'Annotations'
        folder.mkdir(parents=True)
        (folder / 'chair_1.txt').write_text(text(rows(5, 0)))
    for number, content in enumerate(breaks.values(), start=1):
        path = tmp_path / 'release' / 'Area_1' / f'office_{number}' / 'Annotations' / 'chair_1.txt'
        path.unlink() if content is None else path.write_text(content)
    folder.rename(folder.with_name('Else'))
    done = run(tmp_path / 'release', tmp_path / 'out')
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    for number, reason in enumerate([*breaks, r'.*Annotations is not a folder'], start=1):
        place = number if number <= len(breaks) else number + 1
        assert re.search(rf'Area_1_office_{place} failed: {reason}', done.stderr), done.stderr
    assert '6 of 7 rooms could not be converted (Area_1_office_1, ' in done.stderr
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['Area_1_office_6.npy']


def test_a_wrong_folder_is_said_in_one_sentence(tmp_path):
    (tmp_path / 'empty').mkdir()
    done = run(tmp_path / 'empty', tmp_path / 'out')
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert f'{tmp_path}/empty/Area_1 is not a folder' in done.stderr and 'docs/datasets/s3dis.md' in done.stderr


def refuse(kind, *args, **kwargs):
    with pytest.raises(kind) as error:
        S3DIS(*args, **kwargs)[0]
    sentence = str(error.value)
    assert '\n' not in sentence and sentence.endswith('.')
    return sentence


@pytest.fixture
def tree(tmp_path):
    """PointNet's own layout: float64, and no instances."""
    rng = np.random.default_rng(0)
    for area in range(1, 7):
        array = np.column_stack([rows(30, area)[:, :3], rng.integers(0, 256, (30, 3)), rng.integers(0, 13, 30)])
        np.save(tmp_path / f'Area_{area}_office_1.npy', array)
    return tmp_path


def test_the_files_of_pointnet_are_read_as_well(tree):
    stored = np.load(tree / 'Area_5_office_1.npy')
    sample = S3DIS(str(tree), 'test')[0]
    assert stored.dtype == np.float64
    np.testing.assert_allclose(sample['points'], stored[:, :3], atol=1e-5)
    np.testing.assert_array_equal(sample['semantic'], stored[:, 6])


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda a: a[:, :6], r'\(30, 6\)'),
        (lambda a: a[:0], 'at least one point'),
        (lambda a: a.ravel(), r'\(210,\)'),
        (lambda a: np.where(np.arange(7) == 6, 13, a), '0 to 12.*13 in 30 of 30'),
        (lambda a: np.where(np.arange(7) == 6, -1, a), 'got -1'),
        (lambda a: np.where(np.arange(7) == 6, 2.5, a), 'got 2.5'),
        (lambda a: np.where(np.arange(7) == 1, np.nan, a), 'NaN or infinity in 30 of 30'),
        (lambda a: np.where(np.arange(7) == 6, np.inf, a), 'NaN or infinity'),
        (lambda a: a / [1, 1, 1, 255, 255, 255, 1], 'colours from 0 to 255.*'),
        (lambda a: a + [0, 0, 0, 300, 0, 0, 0], 'colours from 0 to 255'),
        (lambda a: a.astype(object), 'pickle'),
    ],
)
def test_a_file_that_is_none_of_ours_is_named(tree, change, reason):
    path = tree / 'Area_5_office_1.npy'
    np.save(path, change(np.load(path)), allow_pickle=True)
    sentence = refuse(ValueError, str(tree), 'test')
    assert str(path) in sentence and re.search(reason, sentence)


def test_a_truncated_file_is_named(tree):
    path = tree / 'Area_5_office_1.npy'
    path.write_bytes(path.read_bytes()[:-100])
    assert str(path) in refuse(ValueError, str(tree), 'test')
    assert str(path) in refuse(ValueError, str(tree), 'test', points_per_sample=10)
    path.write_bytes(b'')
    assert str(path) in refuse(ValueError, str(tree), 'test')


def test_what_is_missing_is_said(tree):
    assert 'docs/datasets/s3dis.md' in refuse(FileNotFoundError, str(tree / 'nowhere'))
    assert 'instances' in refuse(FileNotFoundError, str(tree), instances=True)
    (tree / 'instances').mkdir()
    path = tree / 'instances' / 'Area_5_office_1.npy'
    assert str(path) in refuse(FileNotFoundError, str(tree), 'test', instances=True)
    np.save(path, np.zeros(29, int))
    assert '(30,)' in refuse(ValueError, str(tree), 'test', instances=True)
    (tree / 'Area_3_office_1.npy').unlink()
    assert 'no room of Area 3' in refuse(FileNotFoundError, str(tree))
    assert len(S3DIS(str(tree), 'test')) == 1  # which needs no other area
    data = S3DIS(str(tree), 'test')
    (tree / 'Area_5_office_1.npy').unlink()
    with pytest.raises(FileNotFoundError, match='Area_5_office_1'):
        data[0]
    for bad in ({'split': 'val'}, {'test_area': 7}, {'split': 'test', 'test_area': 1, 'points_per_sample': 0}):
        assert str(list(bad.values())[-1]) in refuse(ValueError, str(tree), **bad)
    assert 'points_per_sample' in refuse(ValueError, str(tree), packed=True, points_per_sample=10)


def test_opening_reads_no_room(tree, monkeypatch):
    touched = []
    real_open, stat = builtins.open, os.stat
    monkeypatch.setattr(builtins, 'open', lambda path, *a, **k: touched.append(str(path)) or real_open(path, *a, **k))
    monkeypatch.setattr(os, 'stat', lambda path, *a, **k: touched.append(str(path)) or stat(path, *a, **k))
    S3DIS(str(tree))
    assert not [path for path in touched if path.endswith('.npy')]


def test_the_shipped_config_reads_blocks(tree):
    for path in tree.glob('*.npy'):
        room = rows(20000, int(path.name[5]))
        room[:, :2] = (room[:, :2] - room[:, :2].min(axis=0)) / 2
        np.save(path, np.column_stack([room, np.arange(20000) % 13]))
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/s3dis.py')
    for loader, split, areas in ((cfg.train_dataloader, 'train', 5), (cfg.val_dataloader, 'test', 1)):
        loader.dataset.data_root = str(tree)
        data = DATASETS.build(loader.dataset)
        assert data.split == split and len({info.rsplit('_')[1] for info in data.rooms}) == areas
        one, other = data[(0, 0)], data[(1, 0)]
        assert one['inputs']['points'].shape == (2048, 3)
        assert one['data_samples'].semantic.shape == (2048,)
        # A block of 1 m around the origin, at the height it has in the room; another one in training the next time.
        assert one['inputs']['points'][:, :2].abs().max() <= 0.5 + 1e-5
        assert (one['inputs']['points'] == other['inputs']['points']).all() == (split == 'test')


def test_packed_rooms_are_the_same(converted, tmp_path):
    cfg = {'type': 'S3DIS', 'data_root': str(converted[0]), 'split': 'test', 'instances': True}
    raw, packed = DATASETS.build(cfg), packed_twin(tmp_path, **cfg)
    assert len(raw) == len(packed) == 2 and packed.metainfo == raw.metainfo
    for index in range(2):
        one, other = raw.load_info(index), packed.load_info(index)
        assert one.keys() == other.keys()
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key], err_msg=key)
    # Another test area is another data set, whose rooms these are not.
    with pytest.raises(ValueError, match='test area 5'):
        S3DIS(str(tmp_path), 'test', test_area=2, packed=True)
