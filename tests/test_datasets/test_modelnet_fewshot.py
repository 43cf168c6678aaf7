"""The few-shot folds of Point-BERT, in exactly their released layout."""

import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from _packed import packed_twin
from mmengine.config import Config

from mmpt.datasets import ConcatDataset, ModelNetFewShot
from mmpt.datasets.modelnet import MODELNET40
from mmpt.registry import DATASETS

ROOT = Path(__file__).parents[2]
OLD = [23, 8, 0, 39, 15]  # the classes of the fold, in the order of its labels


def cloud(seed, rows=40):
    return np.random.default_rng(seed).standard_normal((rows, 6)).astype(np.float32)


def fold_of(way=5, shot=10, queries=20, rows=40, old=OLD):
    """A fold as the generator writes it: shuffled, the third label a numpy scalar because it was a key of numpy's."""
    parts = {}
    for split, count, first in (('train', shot, 0), ('test', queries, 1000)):
        records = [
            (cloud(first + 100 * label + k, rows), label, np.int32(old[label]))
            for label in range(way)
            for k in range(count)
        ]
        order = np.random.default_rng(0).permutation(len(records))
        parts[split] = [records[k] for k in order]
    return parts


def write(root, content, folder='5way_10shot', fold=0, protocol=3):
    path = root / folder / f'{fold}.pkl'
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'ModelNetFewshot'
    root.mkdir()
    write(root, fold_of())
    return root


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_a_fold_gives_points_normals_and_labels_within_it(root, protocol):
    content = fold_of()
    write(root, content, protocol=protocol)
    for split, count in (('train', 50), ('test', 100)):
        data = ModelNetFewShot(str(root), split)
        assert len(data) == count
        for index in (0, 17, count - 1):
            points, new, old = content[split][index]
            sample = data[index]
            np.testing.assert_array_equal(np.hstack([sample['points'], sample['normals']]), points)
            assert sample['points'].dtype == sample['normals'].dtype == np.float32
            assert sample['label'] == data.label(index) == new and sample['split'] == split
            assert sample['class_name'] == MODELNET40[old]
        assert sorted({data.label(k) for k in range(count)}) == [0, 1, 2, 3, 4]
        assert len({data.load_info(k)['sample_id'] for k in range(count)}) == count
        assert data.metainfo['classes'] == ('night_stand', 'chair', 'airplane', 'xbox', 'flower_pot')
        assert data.metainfo['variant'] == '5way_10shot_0' and data.metainfo['up_axis'] == 'y'
        assert ModelNetFewShot.EXPECTED_COUNTS['5way_10shot_0', split] == count


def test_samples_belong_to_the_caller(root):
    data = ModelNetFewShot(str(root))
    data[3]['points'][:] = 0
    np.testing.assert_array_equal(data[3]['points'], fold_of()['train'][3][0][:, :3])


@pytest.mark.parametrize('folder', ['10way_20shot', '10way20shot'])
def test_both_spellings_of_the_folder_and_every_number(root, folder):
    content = fold_of(10, 20, old=range(10, 20))
    for fold in (7, 9):
        write(root, content, folder, fold)
    data = ModelNetFewShot(str(root), 'test', way=10, shot=20, fold=9)
    assert len(data) == 200 and data.metainfo['classes'] == MODELNET40[10:20]
    assert data[0]['sample_id'].startswith(f'{folder}-9-test')


def test_support_and_queries_of_a_fold_go_into_one_loop(root):
    both = ConcatDataset([ModelNetFewShot(str(root), split) for split in ('train', 'test')])
    assert len(both) == 150 and both[50]['split'] == 'test'
    assert len({both[index]['sample_id'] for index in range(150)}) == 150


def test_packed_gives_the_same_samples(root, tmp_path):
    cfg = {'type': 'ModelNetFewShot', 'data_root': str(root), 'split': 'train'}
    cfg['pipeline'] = [{'type': 'RandomSample', 'num_points': 8}]
    raw = DATASETS.build(cfg)
    expected = [raw[(1, index)] for index in range(50)]
    packed = packed_twin(tmp_path / 'packed', **cfg)
    shutil.rmtree(root)
    assert packed.metainfo == raw.metainfo and len(packed) == 50
    for index in (0, 31, 49):
        assert packed.label(index) == expected[index]['label']
        for key in ('points', 'normals', 'label', 'sample_id', 'class_name'):
            np.testing.assert_array_equal(packed[(1, index)][key], expected[index][key])
    with pytest.raises(ValueError, match='5way_10shot_1'):
        ModelNetFewShot(str(tmp_path / 'packed'), 'train', packed=True, fold=1)


def test_shipped_config(root):
    write(root, fold_of(rows=1030))
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/modelnet_fewshot.py')
    for part in (cfg.train_dataloader.dataset, *cfg.val_dataloader.dataset.datasets):
        part.data_root = str(root)
    train, val = DATASETS.build(cfg.train_dataloader.dataset), DATASETS.build(cfg.val_dataloader.dataset)
    assert train[0]['inputs']['points'].shape == (1024, 3)
    assert len(val) == 150 and val.metainfo['split'] == ('train', 'test')
    points = val.datasets[1].load_info(4)['points'].astype(np.float64)
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1).max()
    np.testing.assert_allclose(val[54]['inputs']['points'], points[:1024], atol=1e-6)  # scaled whole, then cut


def refuse(kind, index=None, **kwargs):
    with pytest.raises(kind) as error:
        data = ModelNetFewShot(**kwargs)
        assert index is not None, 'opened what cannot be opened'
        data[index]
    text = str(error.value)
    assert '\n' not in text and text.endswith('.')
    return text


@pytest.mark.parametrize('wrong', [{'way': 7}, {'shot': 5}, {'fold': 3}])
def test_a_fold_that_is_not_there_lists_those_that_are(root, wrong):
    write(root, fold_of(), fold=10)
    write(root, fold_of(), fold=2)
    text = refuse(FileNotFoundError, data_root=str(root), **wrong)
    assert str(root) in text and '5way_10shot with folds 0, 2, 10' in text and 'few_shot_synthetic.py' in text


def test_missing_root_and_unknown_split(root, tmp_path):
    text = refuse(FileNotFoundError, data_root=str(tmp_path / 'nowhere'))
    assert str(tmp_path / 'nowhere') in text and '<way>way_<shot>shot/<fold>.pkl' in text
    assert "'val'" in refuse(ValueError, data_root=str(root), split='val')
    (tmp_path / 'empty').mkdir()
    assert 'no folder of that kind' in refuse(FileNotFoundError, data_root=str(tmp_path / 'empty'))


def test_a_fold_runs_no_code(root, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'owned'),)

    path = write(root, {'train': [Evil()], 'test': []})
    assert str(path) in refuse(ValueError, data_root=str(root))
    assert not (tmp_path / 'owned').exists()


def changed(**parts):
    return {**fold_of(), **parts}


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ([1, 2], 'list'),
        ({'train': fold_of()['train']}, 'train'),
        (changed(test=[]), 'shapes in test, got none'),
        (changed(train=[(cloud(0), 0)]), 'train 0'),
        (changed(train=[(cloud(0)[:, :3], 0, 23)]), r'train 0.*\(40, 3\)'),
        (changed(train=[([[1.0] * 6], 0, 23)]), 'train 0'),
        (changed(train=[(cloud(0), 0.5, 23)]), 'train 0.*0.5'),
        (changed(train=[(cloud(0), 5, 23)]), 'train 0.*0 to 4.*got 5 and 23'),
        (changed(train=[(cloud(0), 0, 40)]), 'train 0.*0 to 39.*got 0 and 40'),
        (changed(train=[(cloud(0), 0, 8)]), 'label 0 .*chair, night_stand'),
        (changed(train=fold_of(4)['train'], test=fold_of(4)['test']), 'label 4 .*no shape'),
        (changed(train=fold_of(shot=3)['train']), 'expected 10 examples .* label 0, got 3 and 20'),
        (changed(train=fold_of(4)['train']), 'expected 10 examples .* label 4, got 0 and 20'),
        (changed(test=fold_of(4)['test']), 'queries in test of label 4, got 10 and 0'),
    ],
)
def test_a_fold_that_holds_something_else(root, content, reason):
    path = write(root, content)
    text = refuse(ValueError, data_root=str(root))
    assert str(path) in text and re.search(reason, text)


def test_a_fold_that_is_cut_off(root):
    path = root / '5way_10shot' / '0.pkl'
    path.write_bytes(path.read_bytes()[:-50])
    assert str(path) in refuse(ValueError, data_root=str(root))


def test_nan_is_named_with_its_place(root):
    content = fold_of()
    content['test'][3][0][2, 1] = np.nan
    path = write(root, content)
    text = refuse(ValueError, 3, data_root=str(root), split='test')
    assert f'{path}, test 3' in text and 'NaN' in text
    assert len(ModelNetFewShot(str(root), 'train')) == 50
