"""tools/benchmarks/step.py: figures that follow from the times it lists, and parts that make up the step."""

import json
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'benchmarks'))
import _step_methods  # noqa: E402
import _timing  # noqa: E402
import step  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402

SMALL = {
    'model.encoder.depth': 1,
    'model.decoder.depth': 1,
    'model.encoder.patch_widths': (16, 16, 32),
    'model.tokenizer.num_ids': 64,
    'model.tokenizer.graph_widths': (16, 16, 16, 16, 16),
}
METHODS = {
    'point_mae': ('model.encoder.depth', 'model.decoder.depth', 'model.encoder.patch_widths'),
    'tokenizer': ('model.tokenizer.num_ids', 'model.tokenizer.graph_widths'),
    'mmpt_reuse_masked_40': ('model.encoder.depth', 'model.decoder.depth'),
}


@pytest.fixture
def small(monkeypatch):
    for name, keys in METHODS.items():
        method = _step_methods.METHODS[name]
        options = {**method.options, **{key: SMALL[key] for key in keys}}
        monkeypatch.setitem(_step_methods.METHODS, name, method._replace(options=options))


def test_smoke_writes_figures_that_follow_from_the_times(small, tmp_path, capsys):
    out = tmp_path / 'step.json'
    step.main(['--smoke', '--methods', *METHODS, '--threads', '1', '--clock', 'cpu', '--json', str(out)])
    said, record = capsys.readouterr().out, json.loads(out.read_text())
    assert record['settings']['threads'] == 1 and record['settings']['clock'] == 'cpu'
    assert record['allocator'] in said
    assert [row['method'] for row in record['methods']] == list(METHODS)
    for row in record['methods']:
        other = 'unit' if row['method'].startswith('mmpt') else 'plain'
        above, below = ('plain', 'ours') if other == 'plain' else ('ours', 'unit')
        assert row['seconds'].keys() == {'ours', other} and row['batch'] == 2 and row['points'] == 1024
        pairs = [a / b for a, b in zip(row['seconds'][above], row['seconds'][below], strict=True)]
        assert row['ratio'] == pytest.approx([statistics.median(pairs), min(pairs), max(pairs)])
        for side, seconds in row['seconds'].items():
            assert min(seconds) > 0 and row['gflop'][side] > 0 and row['ceiling_gflops'] > 0
            assert row['samples_per_second'][side] == pytest.approx(2 / statistics.median(seconds))
            share = row['gflop'][side] / statistics.median(seconds) / row['ceiling_gflops']
            assert row['ceiling_share'][side] == pytest.approx(share)
        assert all(0.1 < peak < 100 for peak in row['peak_gib'].values())
        parts = row['parts']
        assert {'patch embedding', 'decoder', 'losses', 'backward pass', 'optimiser', 'cutting patches'} <= set(parts)
        assert min(parts.values()) >= 0 and parts['backward pass'] > parts['cutting patches']
        assert f'{row["ratio"][0]:.2f}' in said
    point_mae, tokenizer, variant = record['methods']
    assert 'logits' in tokenizer['parts'] and 'tokenizer' in variant['parts'] and 'logits' not in variant['parts']
    # The plain form also embeds what ours composes, and its concatenation has twice the channels.
    assert point_mae['gflop']['plain'] > point_mae['gflop']['ours']


def test_parts_leave_the_model_as_it_was(small):
    with _step_methods.training('point_mae', 2) as ours:
        before = set(vars(ours.model.encoder))
        parts = step.parts_of(ours, time.perf_counter, 1)
        assert set(vars(ours.model.encoder)) == before and parts['encoder'] > 0


def test_variants_of_mmpt_differ_in_what_is_encoded():
    seen = {}
    for name in ('mmpt_clouds', 'mmpt_reuse_masked', 'mmpt_reuse_masked_40'):
        config, options = _step_methods.METHODS[name][:2]
        cfg = _step_methods.load_config(ROOT / 'configs' / f'{config}.py', {**options, 'model.encoder.depth': 1})
        with DefaultScope.overwrite_default_scope('mmpt'):
            model = _step_methods.MODELS.build(cfg.model)
        assert model.image_encoder is None
        calls = seen[name] = []
        encode = model.encoder.forward
        model.encoder.forward = lambda *given, calls=calls, encode=encode: (
            calls.append(len(encode(*given).patch[0])) or encode(*given)
        )
        model.draws.set(seed=0, step=1, rank=0, world_size=1)
        model.train()({'points': _step_methods._ellipsoids(2, 1024)}, mode='loss')
    # 26 of 64 patches are visible; the reconstructed cloud is cut into 64.
    assert {name: sorted(calls) for name, calls in seen.items()} == {
        'mmpt_clouds': [26, 64, 64],
        'mmpt_reuse_masked': [26, 64],
        'mmpt_reuse_masked_40': [26, 26],
    }


def test_an_unknown_method_is_named(capsys):
    with pytest.raises(step.ConfigError, match='--methods nothing: no such method; there are point_mae'):
        step.main(['--methods', 'nothing'])


def test_turns_in_which_others_work_are_discarded(monkeypatch):
    others = iter([0.0, 0.9, 0.1, 0.9, 0.0, 0.0, 0.0])
    monkeypatch.setattr(_timing, '_measure', lambda run, clock, least: (run(), next(others)))
    args = SimpleNamespace(clock='wall', rounds=3, max_others=0.15)
    turns = _timing.take_turns({'a': lambda: 2.0}, args)
    # The third quiet one is the fifth.
    assert len(turns) == 5
    assert [turn.others for turn in _timing.quiet_turns(turns, 0.15)] == [0.0, 0.1, 0.0]
    assert not _timing.disturbed(turns, 0.15)
    loud = [_timing.Turn({'a': 1.0, 'b': 2.0}, 0.9), _timing.Turn({'a': 1.0, 'b': 4.0}, 0.0)]
    assert _timing.disturbed(loud, 0.15) and _timing.quiet_turns(loud, 0.15) == loud
    assert _timing.ratio(_timing.figures(loud, args)['seconds'], 'b', 'a') == [3.0, 2.0, 4.0]


def test_short_runs_are_repeated_and_divided():
    calls = []
    seconds, _ = _timing._measure(lambda: calls.append(time.sleep(0.01)), time.perf_counter, 0.1)
    assert 5 < len(calls) <= 10 and 0.01 <= seconds < 0.05


def test_a_process_of_its_own_hands_back_what_it_measured_or_fails(capfd):
    assert _timing.in_own_process(lambda: {'peak': 1.5}) == {'peak': 1.5}
    with pytest.raises(RuntimeError, match='process of its own failed'):
        _timing.in_own_process(lambda: 1 / 0)
    assert 'ZeroDivisionError' in capfd.readouterr().err
