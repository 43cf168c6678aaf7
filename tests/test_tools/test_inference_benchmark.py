"""tools/benchmarks/inference.py: both forms say the same, and figures follow from the times it lists."""

import json
import statistics
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'benchmarks'))
import _timing  # noqa: E402
import inference  # noqa: E402


@pytest.mark.parametrize('name', ['point_mae', 'crosspoint'])
def test_the_plain_form_gives_the_same_tokens(name):
    runs = inference.sides(name, 2, 256)
    tokens, plain = runs['ours']().patch, runs['plain']()
    plain = plain.mT if name == 'crosspoint' else plain
    assert tokens.shape == plain.shape and tokens.std() > 0.01 and not tokens.requires_grad
    torch.testing.assert_close(tokens, plain, rtol=0, atol=1e-4)


def test_a_plain_form_that_would_take_all_memory_is_left_out(monkeypatch):
    monkeypatch.setattr(inference, 'MOST_PLAIN_POINTS', 100)
    assert set(inference.sides('crosspoint', 1, 100)) == {'ours', 'plain'}
    assert set(inference.sides('crosspoint', 2, 100)) == {'ours'}


@pytest.mark.slow  # fresh processes that import torch
def test_smoke_writes_figures_that_follow_from_the_times(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_timing, '_TRIES', 1)
    out = tmp_path / 'inference.json'
    chosen = ['point_mae', 'classifier']
    inference.main(['--smoke', '--encoders', *chosen, '--threads', '1', '--clock', 'cpu', '--json', str(out)])
    said, record = capsys.readouterr().out, json.loads(out.read_text())
    rows = record['encoders']
    assert [(row['encoder'], row['batch']) for row in rows] == [(name, batch) for name in chosen for batch in (1, 2)]
    for row in rows:
        assert row['points'] == 1024 and 0.1 < row['peak_gib'] < 50
        median = statistics.median(row['seconds']['ours'])
        assert median > 0 and row['samples_per_second']['ours'] == pytest.approx(row['batch'] / median)
        assert ('plain' in row['seconds']) == (row['encoder'] == 'point_mae')
        if 'ratio' in row:
            pairs = [a / b for a, b in zip(row['seconds']['plain'], row['seconds']['ours'], strict=True)]
            assert row['ratio'] == pytest.approx([statistics.median(pairs), min(pairs), max(pairs)])
    # What is imported needs torch, and help needs neither.
    start = record['starts']['median_seconds']
    assert 0 < start['nothing'] < start['import torch'] <= start['import mmpt']
    assert all(name in said for name in inference.STARTS)


def test_an_unknown_encoder_is_named():
    with pytest.raises(inference.ConfigError, match='--encoders nothing: no such encoder; there are point_mae'):
        inference.main(['--encoders', 'nothing'])
