"""tools/quickstart.py apart from the training itself, which `.ci/run` does: what it removes, refuses and writes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from _scripts import load_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool():
    return load_script('tools/quickstart.py')


def test_starting_over_removes_what_the_quick_start_wrote_and_nothing_else(tool, tmp_path):
    (tmp_path / 'tokenizer').mkdir()
    (tmp_path / 'tokenizer' / 'iter_1.pth').write_text('x')
    (tmp_path / 'report.html').write_text('x')
    (tmp_path / 'thesis.tex').write_text('years of work')
    tool.forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


def test_a_run_of_other_configs_is_not_taken_for_this_one(tool, tmp_path):
    tool.check_same_run(tmp_path, smoke=False)
    tool.check_same_run(tmp_path, smoke=False)
    with pytest.raises(SystemExit, match='--fresh'):
        tool.check_same_run(tmp_path, smoke=True)
    run = json.loads((tmp_path / 'run.json').read_text())
    (tmp_path / 'run.json').write_text(json.dumps({**run, 'configs': 'older'}))
    with pytest.raises(SystemExit, match='other configs'):
        tool.check_same_run(tmp_path, smoke=False)


def test_time_is_counted_over_interruptions(tool, tmp_path):
    tool.check_same_run(tmp_path, smoke=False)
    tool.add_seconds(tmp_path, 'tokenizer', 3.0)
    assert tool.add_seconds(tmp_path, 'tokenizer', 4.0) == {'tokenizer': 7.0}


def _comparison():
    rows = [
        {'seed': seed, 'best': {'knn': 0.5 + seed / 10, 'svm': 0.6}, 'raw': {}, 'calibrated': None} for seed in (0, 1)
    ]
    spread = {'mean': 0.55, 'min': 0.5, 'max': 0.6, 'std': 0.05, 'n': 2}
    return {
        'scores': {'knn': 0.8, 'svm': 0.9},
        'controls': rows,
        'control_spread': {'knn': spread, 'svm': {**spread, 'mean': 0.6, 'min': 0.6}},
        'protocol_line': 'protocol <b>cv</b>',
    }


def test_rows_hold_gain_and_spread(tool):
    rows = {row[0]: row[1:] for row in tool.rows_of(_comparison())}
    assert rows['gain over the mean control'] == [pytest.approx(0.25), pytest.approx(0.3)]
    assert rows['spread of the controls (max - min)'] == [pytest.approx(0.1), pytest.approx(0.0)]


def test_the_report_shows_every_figure_and_escapes_text(tool, tmp_path):
    scores = {
        'perplexity': 321.5,
        'used': 400.0,
        'chamfer': 0.04,
        'chamfer_baseline': 0.08,
        'chamfer_best_baseline': 0.06,
    }
    for run in ('tokenizer', 'pretrain'):
        log = tmp_path / run / '20260101_000000' / 'vis_data'
        log.mkdir(parents=True)
        lines = [{'step': step, 'task/plr': 1 / step, 'task/fine': 2 / step} for step in (1, 2, 3)]
        (log / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    result = {'tokenizer': {'trained': scores}, 'generated': _comparison()}
    page = tool.report(tmp_path, result, ['python tools/train.py a & b'], {'tokenizer': 61.0}, smoke=True).read_text()
    assert 'too short to learn anything' in page and '0.800' in page and '321.5' in page
    assert '&lt;b&gt;cv' in page and 'a &amp; b' in page and '<b>cv' not in page
    assert (tmp_path / 'pictures' / 'scores.png').stat().st_size > 1000


@pytest.mark.slow
def test_ctrl_c_lets_the_training_save(tmp_path):
    """The signal reaches the driver and the training alike, as from a terminal."""
    command = [sys.executable, str(ROOT / 'tools' / 'quickstart.py'), '--work-dir', str(tmp_path), '--smoke']
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    end = time.monotonic() + 120
    while not any('Iter(train)' in path.read_text() for path in tmp_path.glob('tokenizer/*/*.log')):
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0][-3000:]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed[-3000:]
    saved = Path((tmp_path / 'tokenizer' / 'last_checkpoint').read_text().strip())
    assert saved.is_file() and 'Run the quick start again to go on from there.' in printed
    assert 'Traceback' not in printed
