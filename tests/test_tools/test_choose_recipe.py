"""Recipes are chosen on training shapes alone, each predicted by classifiers that have not seen it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedKFold

from mmpt.evaluation import protocol_named
from mmpt.evaluation.protocols import probe
from mmpt.registry import ENCODERS
from mmpt.structures import Tokens
from mmpt.utils.errors import ConfigError

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools' / 'benchmarks'))
import choose_recipe  # noqa: E402


@ENCODERS.register_module(force=True)
class RecipeToyEncoder(torch.nn.Module):
    """The extents of a cloud through a linear layer."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 4)
        self.cfg = {'type': 'RecipeToyEncoder'}

    def forward(self, points):
        return Tokens(self.layer(points.abs()), points, {})


def _shapes(count, generator):
    labels = np.arange(count) % 3
    points = generator.normal(size=(count, 16, 3)) * (1 + 2 * np.eye(3)[labels])[:, None]
    return points.astype(np.float16), labels.astype(np.uint8)


@pytest.fixture
def data(tmp_path):
    points, labels = _shapes(60, np.random.default_rng(0))
    # No test part at all: a tool that opened it would say so.
    np.savez(tmp_path / 'shapes.npz', points_train=points, labels_train=labels)
    return tmp_path / 'shapes.npz'


def test_every_shape_is_predicted_by_classifiers_that_have_not_seen_it():
    features = np.random.default_rng(0).normal(size=(45, 6)).astype(np.float32)
    labels = np.arange(45) % 3
    protocol = protocol_named('cv')
    right = choose_recipe.out_of_fold(features, labels, protocol, 5)
    expected = np.zeros(45, bool)
    for fitted, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(features, labels):
        deviation = features[fitted].std(0)
        for shape in held_out:
            distances = [(((features[other] - features[shape]) / deviation) ** 2).sum() for other in fitted]
            expected[shape] = labels[fitted[int(np.argmin(distances))]] == labels[shape]
    assert np.array_equal(right['knn'], expected)
    # A shape that sees itself is its own nearest neighbour.
    assert probe(features, labels, features, labels, protocol).knn == 1.0 and expected.mean() < 0.6
    assert right['svm'].shape == (45,) and right['svm'].mean() < 0.6


def test_the_command_compares_with_the_first_checkpoint(data, tmp_path, monkeypatch, capsys):
    def load(name):
        torch.manual_seed(int(Path(name).stem))
        return RecipeToyEncoder()

    monkeypatch.setattr(choose_recipe, 'load_encoder', load)
    out = tmp_path / 'out.json'
    arguments = ['--data', str(data), '--checkpoints', '1.pth', '2.pth', '--num-points', '16', '--json', str(out)]
    choose_recipe.main(arguments)
    rows = json.loads(out.read_text())['rows']
    assert [row['encoder'] for row in rows] == ['1.pth', '2.pth', 'untrained, seed 0, raw']
    for metric in ('knn', 'svm'):
        first = rows[0][metric]
        assert first['minus_first'] == {'mean': 0.0, 'low': 0.0, 'high': 0.0}
        for row in rows[1:]:
            gain = row[metric]['minus_first']
            assert gain['mean'] == pytest.approx(row[metric]['accuracy'] - first['accuracy'])
            assert gain['low'] <= gain['mean'] <= gain['high']
    assert '| 2.pth |' in capsys.readouterr().out


def test_a_class_with_fewer_shapes_than_folds_is_one_sentence(data):
    with pytest.raises(ConfigError, match=r'--folds 30 needs .* one class has 20'):
        choose_recipe.out_of_fold(np.zeros((60, 2), np.float32), np.arange(60) % 3, protocol_named('cv'), 30)
