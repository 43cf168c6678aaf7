"""Few-shot folds drawn from labelled data: the shapes that the evaluation's folds name, with labels within the fold."""

from pathlib import Path

import numpy as np
import pytest

from mmpt.datasets import DrawnFewShot
from mmpt.evaluation.protocols import FewShotProtocol, draw_folds
from mmpt.registry import DATASETS
from mmpt.utils.config import load_config

ROOT = Path(__file__).parents[2]
CLASSES = 4


@pytest.fixture
def parts(tmp_path):
    """Every cloud is its number, so that shapes are told apart; the order of classes differs between the parts."""
    counts = {'train': 24, 'test': 16}
    labels = {'train': np.arange(24) % CLASSES, 'test': np.arange(16) // 4}
    arrays = {
        f'points_{part}': np.full((n, 6, 3), np.arange(n)[:, None, None], np.float32) for part, n in counts.items()
    }
    arrays |= {f'labels_{part}': labels[part] for part in labels}
    path = tmp_path / 'shapes.npz'
    np.savez(path, class_names=np.array(list('abcd')), **arrays)
    npz = {'type': 'NpzShapes', 'path': str(path), 'up_axis': 'y'}
    return {part: {**npz, 'split': part} for part in labels}, labels


def numbers(data):
    return [int(data.load_info(index)['points'][0, 0]) for index in range(len(data))]


def test_a_fold_is_that_of_the_evaluation(parts):
    cfg, labels = parts
    protocol = FewShotProtocol(queries=3, folds=3, seed=5)
    folds = draw_folds(labels['train'], labels['test'], 3, 2, protocol)
    options = {'way': 3, 'shot': 2, 'queries': 3, 'seed': 5}
    seen = set()
    for fold, expected in enumerate(folds):
        support, query = (DrawnFewShot(cfg, split, fold=fold, **options) for split in ('train', 'test'))
        assert numbers(support) == expected.support.tolist() and numbers(query) == expected.query.tolist()
        assert [support.label(i) for i in range(6)] == [0, 0, 1, 1, 2, 2]
        assert [query[i]['label'] for i in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        names = tuple('abcd'[name] for name in expected.classes)
        assert support.metainfo['classes'] == query.metainfo['classes'] == names
        assert [sample['class_name'] for sample in (query[0], query[3], query[6])] == list(names)
        ids = [{part[i]['sample_id'] for i in range(len(part))} for part in (support, query)]
        assert len(ids[0]) == 6 and len(ids[1]) == 9 and not ids[0] & ids[1]
        assert {query[i]['split'] for i in range(9)} == {'test'} and not support.missing_classes()
        assert query.metainfo['up_axis'] == 'y' and query.metainfo['variant'].endswith(f'3way_2shot_{fold}')
        seen.add(tuple(numbers(query)))
    assert len(seen) == 3


def test_only_shapes_in_use_are_drawn(parts):
    cfg, labels = parts
    chosen = [index for index in range(24) if labels['train'][index] != 1]
    cfg['train']['indices'] = chosen
    support = DrawnFewShot(cfg, way=3, shot=6, queries=4)
    assert sorted(numbers(support)) == chosen and set(support.metainfo['classes']) == set('acd')


def test_what_cannot_be_drawn_is_one_sentence(parts):
    cfg, _ = parts
    with pytest.raises(ValueError, match='needs 20 shapes of every class in the test part, class 0 has 4'):
        DrawnFewShot(cfg, way=3, shot=2)
    with pytest.raises(ValueError, match='7 shapes of every class in the training part, class 0 has 6'):
        DrawnFewShot(cfg, way=3, shot=7, queries=4)
    with pytest.raises(ValueError, match='5-way few-shot needs 2 to all of the 4 classes'):
        DrawnFewShot(cfg, queries=4)
    with pytest.raises(ValueError, match="split='val'.*expected the parts train and test"):
        DrawnFewShot(cfg, 'val')
    generated = {'type': 'SyntheticShapes', 'kind': 'composites', 'split': 'train', 'size': 4}
    with pytest.raises(ValueError, match='a label for every shape of SyntheticShapes, got none for shape 0'):
        DrawnFewShot({'train': generated, 'test': generated})


def test_the_shipped_twin_has_what_its_settings_ask_for():
    """Ten classes with 20 examples and 20 queries: labels alone, so that nothing is generated."""
    cfg = load_config(ROOT / 'configs' / 'few_shot' / 'synthetic.py').val_dataloader.dataset
    for part in cfg.parts.values():
        part.cache_dir = None
    data = [DATASETS.build({**cfg.to_dict(), 'way': 10, 'shot': 20, 'fold': 9, 'split': split}) for split in cfg.parts]
    assert [len(part) for part in data] == [200, 200]
    assert data[0].metainfo['classes'] == data[1].metainfo['classes'] and len(set(data[0].metainfo['classes'])) == 10
