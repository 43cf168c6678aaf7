"""tools/benchmark.py: what it runs, keeps, refuses and writes, with a tiny checkpoint and shapes of three classes."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from _scripts import load_script
from _tiny_runs import TINY_ENCODER

from mmpt.registry import ENCODERS
from mmpt.utils.errors import CheckpointError, ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    module = load_script('tools/benchmark.py')
    for part in ('bench', 'jobs', 'selection'):
        importlib.import_module(f'_suite.{part}')
    return module


@pytest.fixture
def place(tmp_path, tool, monkeypatch):
    """A checkpoint, and generated shapes that are three clouds stretched along another axis each."""
    torch.manual_seed(0)
    encoder = ENCODERS.build(dict(TINY_ENCODER))
    state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
    torch.save({'meta': {'encoder_cfg': TINY_ENCODER}, 'state_dict': state}, tmp_path / 'pretrain.pth')
    rng = np.random.default_rng(0)

    def part(count):
        labels = np.arange(count) % 3
        return (rng.normal(size=(count, 64, 3)) * (1 + 2 * np.eye(3)[labels])[:, None]).astype(np.float32), labels

    shapes = {'train': part(30), 'test': part(15)}
    monkeypatch.setattr(sys.modules['_suite.selection'], 'val_shapes', lambda config, options=None: shapes)
    return tmp_path


def run(tool, place, *options):
    """The tool on that checkpoint; the folder it writes to."""
    tool.main([str(place / 'pretrain.pth'), '--work-dir', str(place / 'out'), '--device', 'cpu', *options])
    return place / 'out'


ARRAYS = ('--tasks', 'probe-generated', 'retrieval-generated')


def test_rows_are_scores_of_both_encoders_over_the_seeds(tool, place, capsys):
    out = run(tool, place, *ARRAYS, '--seeds', '0', '1')
    result = json.loads((out / 'report.json').read_text())
    assert [(row['task'], row['score']) for row in result['rows']] == [
        ('generated classes', '1-NN'),
        ('generated classes', 'linear SVM'),
        ('generated classes, shape to shape', 'class R@1'),
        ('generated classes, shape to shape', 'mAP'),
    ]
    for row in result['rows']:
        files = [
            [json.loads((out / 'results' / f'{task}-{source}-{seed}.json').read_text()) for seed in (0, 1)]
            for task in ('probe-generated', 'retrieval-generated')
            for source in ('checkpoint', 'random')
        ]
        name = {'1-NN': 'knn', 'linear SVM': 'svm', 'class R@1': 'R@1', 'mAP': 'mAP'}[row['score']]
        own, control = ([f['scores'][name] for f in pair] for pair in files if name in pair[0]['scores'])
        assert row['checkpoint']['mean'] == pytest.approx(np.mean(own)) and row['checkpoint']['n'] == 2
        assert row['gain'] == pytest.approx(np.mean(own) - np.mean(control))
        assert row['outside'] == (min(own) > max(control))
        assert row['seconds'] > 0 and row['protocol']
    page, text = (out / 'report.html').read_text(), (out / 'report.md').read_text()
    for row in result['rows']:
        assert row['protocol'] in text and f'{row["checkpoint"]["mean"]:.3f}' in page
    assert 'http://' not in page.replace('http://www.w3.org', '') and str(ROOT) not in text.split('## Machine')[1]
    printed = capsys.readouterr().out
    assert 'minutes left' in printed and 'linear SVM' in printed


def test_a_second_run_does_what_is_missing_and_nothing_twice(tool, place, capsys):
    out = run(tool, place, *ARRAYS, '--seeds', '0')
    kept = {path.name: path.stat().st_mtime_ns for path in (out / 'results').iterdir()}
    gone = out / 'results' / 'retrieval-generated-random-0.json'
    before = gone.read_text()
    gone.unlink()
    capsys.readouterr()
    run(tool, place, *ARRAYS, '--seeds', '0')
    assert '3 of 4 jobs are done already' in capsys.readouterr().out
    assert json.loads(gone.read_text())['scores'] == json.loads(before)['scores']
    now = {path.name: path.stat().st_mtime_ns for path in (out / 'results').iterdir() if path != gone}
    assert now == {name: time for name, time in kept.items() if name != gone.name}


def test_results_of_another_checkpoint_are_not_mixed_in(tool, place):
    run(tool, place, *ARRAYS, '--seeds', '0')
    checkpoint = torch.load(place / 'pretrain.pth')
    checkpoint['state_dict']['encoder.norm.weight'] += 1
    torch.save(checkpoint, place / 'pretrain.pth')
    # A training that is done would go on where it stopped, and be taken for one of the new checkpoint.
    done = place / 'out' / 'runs' / 'linear-generated-checkpoint-0' / 'run'
    done.mkdir(parents=True)
    with pytest.raises(ConfigError, match='--fresh'):
        run(tool, place, *ARRAYS, '--seeds', '0')
    assert done.is_dir()
    run(tool, place, *ARRAYS, '--seeds', '0', '--fresh')
    assert not done.exists()


def test_results_of_another_config_are_not_taken(tool, place):
    out = run(tool, place, *ARRAYS, '--seeds', '0')
    path = out / 'results' / 'probe-generated-random-0.json'
    result = json.loads(path.read_text())
    assert result['record']['split'] == {'train': 30, 'test': 15}
    assert result['protocol'].startswith('30 training and 15 test shapes; protocol cv')
    path.write_text(json.dumps({**result, 'config': 'of yesterday'}))
    with pytest.raises(ConfigError, match='probe-generated-random-0.json was made before the config of probe-gen'):
        run(tool, place, *ARRAYS, '--seeds', '0')
    path.unlink()
    run(tool, place, *ARRAYS, '--seeds', '0')
    assert json.loads(path.read_text())['config'] == result['config']


def test_a_failed_job_is_named_and_the_others_go_on(tool, place, monkeypatch, capsys):
    from _suite.bench import Bench

    features_of = Bench.features_of

    def fail(self, job, *args):
        if job.source == 'random' and job.task == 'probe-generated':
            raise ValueError('no memory left')
        return features_of(self, job, *args)

    monkeypatch.setattr(Bench, 'features_of', fail)
    with pytest.raises(SystemExit) as stop:
        run(tool, place, *ARRAYS, '--seeds', '0')
    assert stop.value.code == 1
    result = json.loads((place / 'out' / 'report.json').read_text())
    assert [row['score'] for row in result['rows']] == ['class R@1', 'mAP']
    assert result['failed'] == ['probe-generated, random, seed 0: ValueError: no memory left']


def test_bad_input_is_one_sentence(tool, place, monkeypatch):
    with pytest.raises(ConfigError, match='nonsense is none of those that can be run here: .*probe-generated'):
        run(tool, place, '--tasks', 'nonsense')
    with pytest.raises(ConfigError, match=r'--npz .*shapes\.npz is not there'):
        run(tool, place, '--data', 'real', '--npz', str(place / 'shapes.npz'))
    (place / 'modelnet40.npz').touch()
    with pytest.raises(ConfigError, match=r'modelnet40\.npz has the name of other data here'):
        run(tool, place, '--data', 'real', '--npz', str(place / 'modelnet40.npz'))
    monkeypatch.chdir(place)
    with pytest.raises(ConfigError, match='completion-pcn cannot be run: data/PCN is not there'):
        run(tool, place, '--data', 'real', '--tasks', 'completion-pcn')
    with pytest.raises(ConfigError, match='nothing to run: .*probe-modelnet40.* is not there'):
        run(tool, place, '--data', 'real')
    (place / 'pretrain.pth').write_bytes((place / 'pretrain.pth').read_bytes()[:500])
    with pytest.raises(CheckpointError, match='not a complete checkpoint'):
        run(tool, place, *ARRAYS)


def test_processes_share_the_jobs(tool, place, monkeypatch):
    """Both halves, one after the other, are the whole."""
    jobs = sys.modules['_suite.jobs']
    monkeypatch.setattr(jobs, 'get_world_size', lambda: 2)
    monkeypatch.setattr(jobs, 'get_rank', lambda: 1)
    out = run(tool, place, *ARRAYS, '--seeds', '0')
    assert len(list((out / 'results').iterdir())) == 2
    assert json.loads((out / 'report.json').read_text())['rows'] == []
    monkeypatch.setattr(jobs, 'get_world_size', lambda: 1)
    monkeypatch.setattr(jobs, 'get_rank', lambda: 0)
    run(tool, place, *ARRAYS, '--seeds', '0')
    assert len(json.loads((out / 'report.json').read_text())['rows']) == 4


def test_two_processes_do_every_job_once_and_one_of_them_writes_the_report(place):
    """As the page starts them; one task fails in both, for want of shapes."""
    rng = np.random.default_rng(0)
    few = {f'points_{part}': rng.normal(size=(4, 1024, 3)) for part in ('train', 'test')}
    labels = {f'labels_{part}': np.arange(4) % 2 for part in ('train', 'test')}
    np.savez(place / 'few.npz', **{key: value.astype(np.float32) for key, value in few.items()}, **labels)
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
    command += [str(ROOT / 'tools' / 'benchmark.py'), 'pretrain.pth', '--work-dir', 'out', '--device', 'cpu', '--smoke']
    command += ['--launcher', 'pytorch', '--data', 'both', '--npz', 'few.npz', '--seeds', '0', '1', '--tasks']
    command += ['retrieval-few', 'probe-few', 'retrieval-generated']
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1, done.stderr
    result = json.loads((place / 'out' / 'report.json').read_text())
    assert [row['score'] for row in result['rows']] == ['class R@1', 'mAP'] * 2
    assert all(row['checkpoint']['n'] == row['random']['n'] == 2 for row in result['rows'])
    # Twelve jobs, each begun by one process; a failure of either is in the report that the first one writes.
    begun = re.findall(r'== \d of 6: (\S+, \S+, seed \d),', done.stdout)
    assert len(begun) == len(set(begun)) == 12
    failed = {f'probe-few, {source}, seed {seed}' for source in ('checkpoint', 'random') for seed in (0, 1)}
    assert {line.partition(':')[0] for line in result['failed']} == failed
    assert done.stdout.count('report.html') == 1


def test_a_training_starts_from_either_encoder(tool, place, monkeypatch):
    """The command that is run: the checkpoint, or the untrained encoder of the seed as a checkpoint of its own."""
    from _suite.bench import GENERATED, Bench
    from _suite.jobs import Job

    from mmpt.apis import load_encoder

    bench = Bench(place / 'pretrain.pth', place / 'out')
    bench.add_shapes(GENERATED, lambda: {'train': (np.random.randn(12, 64, 3).astype(np.float32), np.arange(12))})
    commands = []

    class Process:
        pid = 1

        def __init__(self, command, **kwargs):
            commands.append(command)

    module = sys.modules['_suite.bench']
    monkeypatch.setattr(module.subprocess, 'Popen', Process)
    monkeypatch.setattr(module.os, 'wait4', lambda pid, flags: (pid, 0, type('Usage', (), {'ru_maxrss': 2048})))
    monkeypatch.setattr(module, '_last_scores', lambda folder, keys: {'accuracy': 0.5})
    for source in ('checkpoint', 'random'):
        result = bench.train(Job('linear', source, 3), 'configs/x.py', {'accuracy': 'test/accuracy'}, ['a.b=1'])
        assert result['scores'] == {'accuracy': 0.5} and result['peak_mb'] == 2
        assert '--seed 3' in result['command'] and result['command'].endswith('a.b=1')
    files = [next(word for word in line if word.startswith('model.checkpoint=')) for line in commands]
    assert files[0] == f'model.checkpoint={place / "pretrain.pth"}'
    control = load_encoder(files[1].partition('=')[2])
    torch.manual_seed(3)
    fresh = ENCODERS.build(dict(TINY_ENCODER))
    assert torch.equal(control.norm.weight, fresh.norm.weight)
    assert torch.equal(control.patch_embed.linear1.weight, fresh.patch_embed.linear1.weight)
    # Its batch statistics are those of the shapes.
    assert not torch.equal(control.patch_embed.norm1.running_mean, fresh.patch_embed.norm1.running_mean)
