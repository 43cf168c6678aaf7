"""The benchmark on labelled shapes: frame, duplicates, controls, and the table that people will quote."""

import argparse
import json
import sys

import numpy as np
import pytest
import torch
from _scripts import load_script
from torch import nn

from mmpt.evaluation import PRESETS
from mmpt.registry import ENCODERS
from mmpt.structures import Tokens
from mmpt.utils.errors import ConfigError


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/benchmarks/real_shapes.py')


@ENCODERS.register_module(force=True)
class RealShapesToyEncoder(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layer, self.norm = nn.Linear(3, width), nn.BatchNorm1d(width)

    def forward(self, points):
        rows = self.norm(self.layer(points).flatten(0, 1))
        return Tokens(torch.relu(rows).unflatten(0, points.shape[:2]), points, {})


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (('train', 60), ('test', 30)):
        labels = np.arange(n) % 3
        points = rng.normal(size=(n, 24, 3)) * (1 + 2 * np.eye(3)[labels])[:, None]
        points -= points.mean(1, keepdims=True)
        points /= np.linalg.norm(points, axis=2).max(1)[:, None, None]
        arrays[f'points_{part}'], arrays[f'labels_{part}'] = points.astype(np.float16), labels.astype(np.uint8)
    arrays['dup_test'] = np.arange(30) % 5 == 0
    np.savez(tmp_path / 'shapes.npz', class_names=np.array(['a', 'b', 'c']), **arrays)
    (tmp_path / 'config.py').write_text("model = dict(encoder=dict(type='RealShapesToyEncoder', width=6))\n")
    return tmp_path


def _args(folder, **change):
    options = {
        'data': str(folder / 'shapes.npz'),
        'checkpoint': None,
        'config': str(folder / 'config.py'),
        'up_axis': 'z',
        'protocol': 'cv',
        'num_points': 16,
        'without_duplicates': False,
        'batch_size': 16,
        'device': 'cpu',
    }
    return argparse.Namespace(**{**options, **change})


def test_shapes_arrive_y_up_centred_and_of_radius_one(tool, data):
    raw = np.load(data / 'shapes.npz')['points_test'][:, :16].astype(np.float32)
    turned = tool.read_shapes(data / 'shapes.npz', 'z', 16)['test'][0]
    kept = tool.read_shapes(data / 'shapes.npz', 'y', 16)['test'][0]
    for points in (turned, kept):
        np.testing.assert_allclose(points.mean(1), 0, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(points, axis=2).max(1), 1, atol=1e-5)
    # Right-handed in both frames: the turn is a rotation, and what was up is y.
    turn = np.linalg.lstsq(kept.reshape(-1, 3), turned.reshape(-1, 3), rcond=None)[0].T
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(turn @ [0, 0, 1], [0, 1, 0], atol=1e-4)
    assert np.corrcoef(kept.ravel(), (raw - raw.mean(1, keepdims=True)).ravel())[0, 1] > 0.95


def test_controls_with_and_without_duplicates(tool, data):
    result = tool.measure(_args(data))
    assert result['scores'] is None and [row['seed'] for row in result['controls']] == [0, 1, 2]
    names = {'knn', 'svm', 'knn/without duplicates', 'svm/without duplicates'}
    assert set(result['control_spread']) == names
    alone = tool.measure(_args(data, without_duplicates=True))
    assert alone['shapes'] == {'train': 60, 'test': 24}
    for row, again in zip(result['controls'], alone['controls']):
        for name in ('knn', 'svm'):
            assert row['best'][f'{name}/without duplicates'] == pytest.approx(again['best'][name])
    assert json.loads(json.dumps(result))['protocol']['num_points'] == 16


def test_a_checkpoint_is_compared_with_controls_of_its_own_config(tool, data, monkeypatch):
    def load_encoder(path):
        assert path == 'some.pth'
        torch.manual_seed(0)
        encoder = RealShapesToyEncoder(width=5).eval()
        encoder.cfg = {'type': 'RealShapesToyEncoder', 'width': 5}
        return encoder

    monkeypatch.setattr(tool, 'load_encoder', load_encoder)
    result = tool.measure(_args(data, checkpoint='some.pth', config=None))
    # The "checkpoint" is control 0 before calibration: every figure of the table can be checked by hand.
    assert result['scores'] == result['controls'][0]['raw']
    lines = tool.comparison_table('shapes.npz', result).splitlines()
    assert lines[1] == result['protocol_line'] and '16 points' in lines[1]
    assert lines[2].split('  ')[0] == '' and 'knn' in lines[2]
    difference = next(line for line in lines if line.startswith('encoder - highest control'))
    best = max(row['best']['knn'] for row in result['controls'])
    assert difference.split()[4] == f'{result["scores"]["knn"] - best:+.3f}'


def test_the_command_writes_json_and_says_what_is_wrong(tool, data, monkeypatch, capsys):
    command = ['real_shapes.py', '--data', str(data / 'shapes.npz'), '--num-points', '16']
    monkeypatch.setattr(sys, 'argv', [*command, '--config', str(data / 'config.py'), '--json', str(data / 'out.json')])
    tool.main()
    assert 'controls, highest' in capsys.readouterr().out
    assert json.loads((data / 'out.json').read_text())['data'] == 'shapes.npz'

    with pytest.raises(ConfigError, match='24 points per shape, fewer than the 25'):
        tool.measure(_args(data, num_points=25))
    np.savez(data / 'other.npz', points=np.zeros(3))
    with pytest.raises(ValueError, match="no 'points_train' among points"):
        tool.measure(_args(data, data=str(data / 'other.npz')))
    whole = (data / 'shapes.npz').read_bytes()
    (data / 'cut.npz').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match='cut.npz: .*damaged archive'):
        tool.measure(_args(data, data=str(data / 'cut.npz')))
    (data / 'bare.py').write_text('model = dict()\n')
    with pytest.raises(ConfigError, match='no model.encoder'):
        tool.measure(_args(data, config=str(data / 'bare.py')))


def test_a_protocol_is_taken_by_name(tool, data):
    result = tool.measure(_args(data, protocol='i2p_mae'))
    assert result['protocol'] == {**PRESETS['i2p_mae'].to_dict(), 'num_points': 16}
    assert 'SVC C=0.0093' in result['protocol_line'] and 'concat(max) not standardised' in result['protocol_line']
    with pytest.raises(ValueError, match="no protocol 'best'; it is one of cv, point_bert, crosspoint"):
        tool.measure(_args(data, protocol='best'))
