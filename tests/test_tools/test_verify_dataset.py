"""The command on small trees in the released layout: what it prints, writes and exits with."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmpt.datasets import NpzShapes, ShapeNet
from mmpt.datasets.shards import ShardWriter, encode_record
from mmpt.utils.errors import ConfigError

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'verify_dataset.py'
CHAIR = [f'03001627-c{number}' for number in range(6)]
TABLE = [f'04379243-t{number}' for number in range(4)]


@pytest.fixture
def tree(tmp_path):
    """ShapeNet55-34 and ShapeNetRendering: eight train shapes, two of test; two of the chairs have pictures."""
    root = tmp_path / 'ShapeNet55-34'
    (root / 'ShapeNet-55').mkdir(parents=True)
    (root / 'shapenet_pc').mkdir()
    (root / 'ShapeNet-55' / 'train.txt').write_text(''.join(f'{stem}.npy\n' for stem in CHAIR + TABLE[:2]))
    (root / 'ShapeNet-55' / 'test.txt').write_text(''.join(f'{stem}.npy\n' for stem in TABLE[2:]))
    for number, stem in enumerate(CHAIR + TABLE):
        np.save(
            root / 'shapenet_pc' / f'{stem}.npy',
            np.random.default_rng(number).normal(size=(500, 3)).astype(np.float32),
        )
    for stem in CHAIR[:2]:
        folder = tmp_path / 'ShapeNetRendering' / '03001627' / stem.split('-')[1] / 'rendering'
        folder.mkdir(parents=True)
        for view in range(3):
            cv2.imwrite(str(folder / f'{view:02d}.png'), np.full((20, 20, 3), 60 * view, np.uint8))
    return tmp_path


def config(folder, **changes):
    """A config of the train and the test list; the train data set once more in another loader."""
    steps = [
        {'type': 'LoadPoints'},
        {'type': 'LoadImages', 'size': 16},
        {'type': 'RandomSample', 'num_points': 64},
        {'type': 'UnitSphere'},
        {'type': 'PackInputs', 'image_views': 1, 'image_size': 16},
    ]
    data = {
        'type': 'ShapeNet',
        'data_root': str(folder / 'ShapeNet55-34'),
        'images_root': str(folder / 'ShapeNetRendering'),
        'pipeline': steps,
        **changes,
    }
    test = {**data, 'split': 'test', 'images_root': None, 'pipeline': [steps[0], steps[2], {'type': 'PackInputs'}]}
    again = {**data, 'pipeline': steps[:1], 'seed': 5}
    loaders = {
        'train_dataloader': {'dataset': data},
        'val_dataloader': {'dataset': {'type': 'ConcatDataset', 'datasets': [again, test]}},
    }
    path = folder / 'config.py'
    path.write_text(''.join(f'{name} = {value!r}\n' for name, value in loaders.items()))
    return path


@pytest.fixture
def verify(monkeypatch, capsys):
    """Run the command in this process: whether all is well, what was printed, report.json."""
    monkeypatch.setattr('mmpt.datasets.browsing.TILE', 40)
    monkeypatch.setattr(ShapeNet, 'EXPECTED_COUNTS', {('ShapeNet-55', 'train'): 8, ('ShapeNet-55', 'test'): 2})

    def run(path, *options):
        out = path.parent / 'out'
        tool = runpy.run_path(str(TOOL))
        monkeypatch.setattr(
            sys, 'argv', ['verify_dataset.py', str(path), '--out', str(out), '--workers', '0', *options]
        )
        capsys.readouterr()
        clean = tool['main'](tool['parse_args']())
        return clean, capsys.readouterr().out, json.loads((out / 'report.json').read_text())

    return run


def test_a_clean_data_set(tree, verify):
    clean, printed, report = verify(config(tree))
    assert clean and report['clean'] and 'PROBLEM' not in printed and printed.endswith('clean, 2 warnings\n')
    train, test = report['parts']
    assert train['places'] == ['train_dataloader.dataset', 'val_dataloader.dataset.datasets.0']
    assert (train['shapes'], train['read'], train['missing'], train['damaged']) == (8, 8, 0, 0)
    assert (test['split'], test['shapes'], train['pictures'], train['points']) == ('test', 2, 6, [500, 500, 500])
    assert {name: count for name, count in train['classes'].items() if count} == {'chair': 6, 'table': 2}
    lines = printed.splitlines()
    assert lines[0].split() == [
        *['data', 'set', 'shapes', 'published', 'read', 'missing', 'damaged', 'points', 'radius', 'up', 'classes']
    ]
    assert lines[1].startswith('train') and lines[2].startswith('val 1 (test)') and ' 2/55' in lines[1]
    assert 'train: shapes per class: chair 6, table 2\n' in printed
    assert 'note  train: 6 of 8 shapes have no picture' in printed
    assert 'warning  train: 53 of 55 classes have no shape in this split' in printed
    for name in ('contact_sheet_0_train.png', 'contact_sheet_1_test.png'):
        sheet = cv2.imread(str(tree / 'out' / name))
        assert sheet.shape[0] > 60 and (sheet < 250).any(axis=-1).mean() > 0.03


def break_files(tree):
    clouds = tree / 'ShapeNet55-34' / 'shapenet_pc'
    (clouds / f'{CHAIR[1]}.npy').unlink()
    whole = (clouds / f'{CHAIR[2]}.npy').read_bytes()
    (clouds / f'{CHAIR[2]}.npy').write_bytes(whole[:1000])
    np.save(clouds / f'{CHAIR[3]}.npy', np.array([[0, 0, np.nan]] * 9, np.float32))
    np.save(clouds / f'{CHAIR[4]}.npy', np.zeros((0, 3), np.float32))
    np.save(clouds / f'{TABLE[2]}.npy', np.load(clouds / f'{TABLE[0]}.npy')[::-1])
    picture = tree / 'ShapeNetRendering' / '03001627' / 'c0' / 'rendering' / '01.png'
    picture.write_bytes(picture.read_bytes()[:40])


def test_every_broken_file_is_named(tree, verify):
    break_files(tree)
    clean, printed, report = verify(config(tree))
    assert not clean and not report['clean']
    train = report['parts'][0]
    assert (train['read'], train['missing'], train['damaged']) == (8, 1, 3)
    said = {}
    for finding in train['findings']:
        if finding['level'] == 'problem':
            said.setdefault(finding['kind'], []).append(finding['text'])
            assert '\n' not in finding['text'] and finding['text'].endswith('.')
    assert set(said) == {'missing', 'damaged', 'pictures'} and f'{CHAIR[1]}.npy' in said['missing'][0]
    cut, nan, empty = said['damaged']
    assert f'{CHAIR[2]}.npy' in cut
    assert f'{CHAIR[3]}.npy' in nan and 'NaN' in nan
    assert f'{CHAIR[4]}.npy' in empty and 'empty cloud' in empty
    (picture,) = said['pictures']
    assert 'c0/rendering/01.png' in picture and CHAIR[0] in picture
    (duplicate,) = report['duplicates']['findings']
    assert duplicate['level'] == 'problem' and f'{TABLE[2]}.npy' in duplicate['text'] and TABLE[0] in duplicate['text']
    assert printed.endswith('6 problems, 2 warnings\n') and printed.count('PROBLEM') == 6
    assert (tree / 'out' / 'contact_sheet_0_train.png').is_file(), 'what can be read is drawn'


def test_known_problems_are_no_reason_to_fail(tree, verify):
    break_files(tree)
    clean, printed, _ = verify(config(tree), '--split', 'train', '--ignore', 'missing', 'damaged', 'pictures')
    assert clean and 'PROBLEM' not in printed and printed.count('ignored  train') == 5
    with pytest.raises(ConfigError, match='--ignore dammaged: expected some of open, counts'):
        verify(config(tree), '--ignore', 'dammaged')


def test_samples_are_not_skipped_when_they_are_verified(tree, verify):
    """What training may leave out is named all the same."""
    break_files(tree)
    _, _, report = verify(config(tree, on_bad_sample='skip'), '--split', 'train')
    (train,) = report['parts']
    assert (train['read'], train['missing'], train['damaged']) == (8, 1, 3)


def test_workers_change_nothing(tree, verify):
    break_files(tree)
    path = config(tree)
    one, two = verify(path), verify(path, '--workers', '2')
    assert one[1:] == two[1:]


def test_quick_reads_some_and_counts_all(tree, verify):
    _, _, report = verify(config(tree), '--quick', '3', '--split', 'train')
    (train,) = report['parts']
    assert (train['shapes'], train['read'], train['classes']['chair'], report['quick']) == (8, 3, 6, 3)


def test_a_data_set_that_is_not_there(tree, verify):
    """The other one is verified; where there is none at all, the class's own sentence is all there is to say."""
    path = config(tree)
    (tree / 'ShapeNet55-34' / 'ShapeNet-55' / 'test.txt').unlink()
    clean, printed, report = verify(path)
    assert not clean and len(report['parts']) == 1 and 'PROBLEM  val 1: ' in printed
    assert 'test.txt' in report['not_opened']['val 1'] and 'pretrain_synthetic.py' in report['not_opened']['val 1']
    with pytest.raises(FileNotFoundError, match=r'nowhere.* is not a folder .*ShapeNet-55/.*pretrain_synthetic\.py'):
        verify(config(tree, data_root=str(tree / 'nowhere')))
    with pytest.raises(ConfigError, match='has no test_dataloader.dataset; choose another'):
        verify(path, '--split', 'test')
    with pytest.raises(ValueError, match='train_dataloader is no data set: expected a dict with a `type`'):
        verify(path, '--dataset-key', 'train_dataloader')


def test_generated_shapes_beside_files_are_left_out(tree, verify):
    path = config(tree)
    path.write_text(
        path.read_text() + "val_dataloader = dict(dataset=dict(type='SyntheticShapes', kind='categories', size=30))\n"
    )
    _, printed, report = verify(path)
    assert [part['name'] for part in report['parts']] == ['ShapeNet'] and 'val_dataloader.dataset: left out' in printed
    clean, _, report = verify(path, '--dataset-key', 'val_dataloader.dataset')
    assert [part['name'] for part in report['parts']] == ['SyntheticShapes'] and clean


def test_packed_data_are_checked_by_their_checksums(tmp_path, verify):
    clouds = np.random.default_rng(0).normal(size=(5, 50, 3)).astype(np.float32)
    arrays = {'points_train': clouds, 'labels_train': np.zeros(5, int), 'class_names': np.array(['a'])}
    np.savez(tmp_path / 'few.npz', **arrays)
    raw = NpzShapes(str(tmp_path / 'few.npz'))
    facts = {**raw.metainfo, 'name': 'ShapeNet', 'variant': 'ShapeNet-55'}
    folder = tmp_path / 'packed' / 'train'
    with ShardWriter(folder, metainfo=facts, total=5, command=[], made_from={}) as writer:
        for index in range(5):
            writer.append(index, encode_record(raw.load_info(index)), 0)
        writer.finish()
    path = tmp_path / 'config.py'
    data = {'type': 'ShapeNet', 'data_root': str(tmp_path / 'packed'), 'packed': True, 'pipeline': []}
    path.write_text(f'train_dataloader = dict(dataset={data!r})\n')
    clean, _, report = verify(path, '--ignore', 'counts')
    assert clean and report['parts'][0]['shapes'] == 5
    (shard,) = [file for file in folder.iterdir() if file.suffix not in ('.json',) and 'index' not in file.name]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    clean, _, report = verify(path)
    texts = [finding['text'] for finding in report['parts'][0]['findings'] if finding['kind'] == 'damaged']
    assert not clean and len(texts) == 1, 'named once'
    assert all(shard.name in text and 'train/2' in text for text in texts)


def call(*arguments, cwd):
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    env = {**os.environ, 'PYTHONPATH': str(ROOT), 'CUDA_VISIBLE_DEVICES': ''}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)


def test_exit_codes(tree):
    """0 clean, 1 problems, 2 nothing could be verified: for scripts."""
    path = config(tree)
    done = call(path, '--workers', '0', '--quick', '1', '--ignore', 'counts', cwd=tree)
    assert done.returncode == 0 and (tree / 'work_dirs' / 'verify' / 'config' / 'report.json').is_file(), done.stderr
    done = call(path, '--workers', '0', '--quick', '2', '--split', 'train', cwd=tree)
    assert done.returncode == 1 and 'has 8 shapes, published are 41,952' in done.stdout
    done = call(config(tree, data_root='data/none'), cwd=tree)
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(f'mmpt: {tree}/data/none is not a folder (`data_root` of ')
