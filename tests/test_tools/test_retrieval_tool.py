"""tools/retrieval.py on a small pre-trainer: what it writes, its controls, pictures that are missing, bad input."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from _joint_model import MODEL

from mmpt.apis import get_model
from mmpt.datasets.synthetic.categories import CATEGORIES
from mmpt.utils.errors import run

ROOT = Path(__file__).resolve().parents[2]
# Four shapes of each of three classes for training, two for the test.
DATA = f"""
num_points = 128
pipeline = [dict(type='FirstPoints', num_points=128), dict(type='PackInputs', image_views=1, image_size=32)]
shapes = dict(type='SyntheticShapes', kind='categories', num_points=128, views=1, image_size=32, pipeline=pipeline)
chosen = {{n: [i for i in range(n * {len(CATEGORIES)}) if i % {len(CATEGORIES)} < 3] for n in (4, 2)}}
val_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[
    dict(split='train', size={4 * len(CATEGORIES)}, indices=chosen[4], **shapes),
    dict(split='test', size={2 * len(CATEGORIES)}, indices=chosen[2], **shapes),
]))
"""


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(ROOT / 'tools' / 'retrieval.py'))


@pytest.fixture
def call(tool, monkeypatch, capsys):
    def call(*args):
        monkeypatch.setattr(sys, 'argv', ['retrieval.py', *map(str, args)])
        code = run(tool['main'])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A config, its checkpoint after no training at all, and data."""
    folder = tmp_path_factory.mktemp('retrieval')
    (folder / 'config.py').write_text(MODEL)
    (folder / 'data.py').write_text(DATA)
    torch.manual_seed(5)
    model = get_model(folder / 'config.py')
    torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': {'up_axis': 'z'}}}, folder / 'model.pth')
    return folder


def test_scores_stand_beside_controls_in_three_files(tool, call, folder, tmp_path, monkeypatch):
    warned = []
    monkeypatch.setitem(tool['measure'].__globals__, 'warn_about_geometry', lambda *about: warned.append(about))
    code, printed = call(
        *(folder / 'config.py', folder / 'model.pth', '--data', folder / 'data.py', '--out', tmp_path),
        *('--prototype-images', 3, '--batch-size', 4),
    )
    assert code == 0, printed
    ((checkpoint, metainfo),) = warned
    assert checkpoint['meta']['dataset_meta']['up_axis'] == 'z' and metainfo['up_axis'] == 'y'
    result = json.loads((tmp_path / 'retrieval.json').read_text())
    assert result['shapes'] == {'train': 12, 'test': 6} and result['protocol']['prototype_images'] == 3
    names = set(result['scores'])
    assert {'image to shape/R@1', 'shape to image/R@10', 'shape to shape/mAP', 'zero-shot/accuracy'} <= names
    assert 'shape to shape/R@1' not in names and 'shape to shape/class R@1' in names
    # Ten of six shapes hold all of them.
    assert result['scores']['image to shape/R@10'] == 1
    assert [row['seed'] for row in result['controls']] == [0, 1, 2]
    for name, spread in result['control_spread'].items():
        best = [max(row['raw'][name], row['calibrated'][name]) for row in result['controls']]
        assert spread['mean'] == pytest.approx(np.mean(best)) and spread['max'] == max(best)
    page = (tmp_path / 'retrieval.md').read_text()
    assert page.count('\n| ') == 1 + len(names) and 'equal ones in the order of the gallery' in page
    assert (tmp_path / 'retrieval.png').read_bytes().startswith(b'\x89PNG')


def test_embeddings_are_those_of_each_sample_and_samples_without_a_picture_stay_out(tool, folder):
    from mmpt.evaluation import embed_pairs

    pairs = tool['Pairs'](str(folder / 'data.py'), {}, 4)
    model = get_model(folder / 'config.py', folder / 'model.pth')
    whole = embed_pairs(model, pairs.batches())
    assert whole.rows.tolist() == list(range(18)) and whole.part('test').rows.tolist() == list(range(12, 18))
    assert whole.labels.tolist() == [0, 1, 2] * 6

    def without(batches):
        for batch in batches:
            batch['inputs']['has_image'][0][:] = False
            yield batch

    some = embed_pairs(model, without(pairs.batches()))
    kept = [row for row in range(18) if row not in (0, 5, 10, 14)]
    assert some.rows.tolist() == kept
    np.testing.assert_allclose(some.points, whole.points[kept], atol=1e-5)
    np.testing.assert_allclose(some.images, whole.images[kept], atol=1e-5)


def test_pictures_of_the_own_shape_are_found_by_a_model_that_knows_them(tool, folder):
    """Where embeddings are those of the sample itself, every score is 1."""
    from mmpt.evaluation import PairEmbeddings, RetrievalProtocol, score_pairs

    labels = np.arange(12) % 3
    x = 10 * np.eye(16)[labels] + np.eye(16)[3 + np.arange(12)]
    data = PairEmbeddings(x, x, labels, np.array(['train'] * 6 + ['test'] * 6), np.arange(12))
    scores = score_pairs(data, RetrievalProtocol(prototype_images=2)).scores
    assert set(scores.values()) == {1.0} and 'zero-shot/accuracy' in scores


@pytest.mark.parametrize(
    ('model', 'data', 'options', 'said'),
    [
        (MODEL, DATA.replace('image_views=1, image_size=32', ''), (), 'none of the 18 samples has one'),
        (MODEL, DATA, ('--prototype-images', 5), 'has 4 training pictures, fewer than the 5'),
        (MODEL, MODEL, (), 'has no val_dataloader'),
        (
            MODEL.replace("'full',)", "'full', 'full')").replace('image_dim=96', 'image_dim=None'),
            DATA,
            (),
            'has a joint space',
        ),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(call, tmp_path, model, data, options, said):
    (tmp_path / 'config.py').write_text(model)
    (tmp_path / 'data.py').write_text(data)
    torch.save({'state_dict': get_model(tmp_path / 'config.py').state_dict()}, tmp_path / 'model.pth')
    code, printed = call(
        tmp_path / 'config.py', tmp_path / 'model.pth', '--data', tmp_path / 'data.py', '--out', tmp_path, *options
    )
    assert code == 2 and said in printed and 'Traceback' not in printed, printed
