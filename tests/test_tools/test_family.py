"""tools/benchmarks/family.py: what it finds, how it stretches a schedule, and two methods at tiny size end to end."""

import json
from pathlib import Path

import pytest
from _scripts import load_script
from _tiny_runs import POINT_MAE, TOKENIZER, TOKENS, write_config, write_shapes
from mmengine.config import Config

from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError, TrainingInterrupted

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/benchmarks/family.py')


@pytest.fixture(autouse=True)
def short_clock(tool, monkeypatch):
    import _trainings

    monkeypatch.setattr(_trainings, 'WARM_UP', 1)
    monkeypatch.setattr(_trainings, 'TIMED', 2)


@pytest.fixture
def tiny(tmp_path):
    """Two methods of one update each, the second with a tokenizer, and an npz of labelled shapes."""
    for name, text in {'point_mae': POINT_MAE, 'tokenizer': TOKENIZER, 'tokens': TOKENS}.items():
        write_config(tmp_path, name, text)
    write_shapes(tmp_path / 'shapes.npz')
    return tmp_path


def test_every_method_is_found_by_its_laptop_config(tool):
    found = [tool.name_of(path) for path in tool.find_methods([])]
    family = ['cross_bert', 'crosspoint', 'point_bert', 'point_m2ae', 'point_mae', 'recon']
    assert found == ['mmpt/quickstart_pretrain', *(f'{name}/laptop_synthetic' for name in family)]
    assert tool.find_methods(['point_mae'])[0] == ROOT / 'configs/point_mae/laptop_synthetic.py'
    grid = tool.find_methods(['mmpt_ablation/*', 'mmpt_ablation/tlr'])
    assert len(grid) == len(list((ROOT / 'configs/mmpt_ablation').glob('*.py')))
    with pytest.raises(ConfigError, match='nothing is no method'):
        tool.find_methods(['nothing'])


def test_the_schedule_keeps_its_shares(tool):
    cfg = load_config(ROOT / 'configs/mmpt/quickstart_pretrain.py')
    options = dict(option.split('=') for option in tool.schedule_options(cfg, 1800))
    assert options['train_cfg.max_iters'] == options['param_scheduler.1.end'] == '1800'
    assert options['param_scheduler.0.end'] == options['param_scheduler.1.begin'] == '200'
    assert options['custom_hooks.1.interval'] == '600'
    tiny = dict(option.split('=') for option in tool.schedule_options(cfg, 1))
    assert int(tiny['param_scheduler.0.end']) > int(tiny['param_scheduler.0.begin'])


def test_a_config_of_another_state_is_refused(tool, tmp_path):
    tool.State(tmp_path, 'a').put(seconds=3.0)
    assert tool.State(tmp_path, 'a').values['seconds'] == 3.0
    with pytest.raises(ConfigError, match='--fresh'):
        tool.State(tmp_path, 'b')


def test_the_digest_is_of_the_meaning(tool):
    first = Config({'a': 1, 'b': {'c': [1, 2]}})
    assert tool.config_digest(first) == tool.config_digest(Config({'b': {'c': [1, 2]}, 'a': 1}))
    assert tool.config_digest(first) != tool.config_digest(Config({'a': 1, 'b': {'c': [2, 1]}}))


def test_a_failure_is_a_row_and_an_interruption_stops_all(tool, tmp_path, monkeypatch, capsys):
    asked = []

    def fails(config, *_):
        asked.append(config.parent.name)
        raise RuntimeError('out of\nmemory')

    monkeypatch.setattr(tool, 'run_method', fails)
    argv = ['--methods', 'mmpt', 'point_mae', '--work-dir', str(tmp_path)]
    with pytest.raises(SystemExit) as stopped:
        tool.main([*argv, '--json', str(tmp_path / 'out.json')])
    assert stopped.value.code == 1 and asked == ['mmpt', 'point_mae']
    rows = json.loads((tmp_path / 'out.json').read_text())['rows']
    assert [row['error'] for row in rows] == ['RuntimeError: out of memory'] * 2
    assert capsys.readouterr().out.count('failed: RuntimeError: out of memory') == 2

    def stops(*_):
        raise TrainingInterrupted('stopped')

    monkeypatch.setattr(tool, 'run_method', stops)
    with pytest.raises(TrainingInterrupted):
        tool.main(argv)


@pytest.mark.slow
def test_two_methods_and_one_that_fails(tool, tiny, capsys, monkeypatch):
    (tiny / 'broken.py').write_text((tiny / 'point_mae.py').read_text() + "\ntrain_cfg = dict(type='IterBasedLoop')\n")
    argv = [
        '--methods',
        *(str(tiny / f'{name}.py') for name in ('broken', 'point_mae', 'tokens')),
        '--minutes',
        '0.0001',
    ]
    argv += [
        '--data',
        str(tiny / 'shapes.npz'),
        '--num-points',
        '64',
        '--work-dir',
        str(tiny / 'work'),
        '--threads',
        '1',
    ]
    argv += ['--json', str(tiny / 'out.json'), '--out', str(tiny / 'out.md'), '--device', 'cpu']
    with pytest.raises(SystemExit) as stopped:
        tool.main(argv)
    assert stopped.value.code == 1
    result = json.loads((tiny / 'out.json').read_text())
    broken, *rows = result['rows']
    assert 'IterBasedLoop' in broken['error'] and 'error' not in rows[0], result['rows']
    for row in rows:
        assert row['iterations'] == 1 and row['samples'] == 8 and row['samples_per_second'] > 0 and row['minutes'] > 0
        assert set(row['scores']) == {'generated classes', 'shapes'}
        for scores in row['scores'].values():
            assert len(scores['controls']) == 3 and 0 <= scores['scores']['svm'] <= 1
        assert 'train_cfg.max_iters=1' in row['command']
    # The tokenizer is trained once, apart, and the method was given what came of it.
    (tokenizer,) = result['tokenizers']
    assert tokenizer['iterations'] == 4 and tokenizer['checkpoint'] in rows[1]['command']
    assert tokenizer['checkpoint'] not in rows[0]['command']
    page, printed = (tiny / 'out.md').read_text(), capsys.readouterr().out
    gain = rows[0]['scores']['shapes']
    gain = gain['scores']['knn'] - gain['control_spread']['knn']['mean']
    assert f'{gain:+.3f}' in page and f'{gain:+.3f}' in printed
    assert page.count('## ') == 4 and 'IterBasedLoop' in page and str(ROOT) not in page.split('## Machine')[1]

    # Again: nothing is trained, nothing is scored, the figures are the same.
    def train(*_):
        raise AssertionError('it is known already')

    monkeypatch.setattr(tool, 'train', train)
    monkeypatch.setattr(tool, 'score_on', train)
    argv[1:4] = argv[2:4]
    tool.main(argv)
    assert json.loads((tiny / 'out.json').read_text())['rows'] == rows
