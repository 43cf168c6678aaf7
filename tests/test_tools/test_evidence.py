"""tools/benchmarks/evidence.py: its rows, runs side by side, and a smoke run that is added to, resumed and refused."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _scripts import load_script
from _tiny_runs import MMPT, POINT_MAE, TOKENIZER, write_config, write_shapes

from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError, TrainingInterrupted
from mmpt.utils.setup import register_all_modules
from mmpt.visualization import read_scalars

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/benchmarks/evidence.py')


@pytest.fixture
def trainings(tool, monkeypatch):
    import _trainings

    monkeypatch.setattr(_trainings, 'LOOK_EVERY', 0.02)
    return _trainings


@pytest.fixture
def tiny(tmp_path):
    write_config(tmp_path, 'mmpt', MMPT)
    write_config(tmp_path, 'tokenizer', TOKENIZER)
    write_config(tmp_path, 'point_mae', POINT_MAE)
    write_shapes(tmp_path / 'shapes.npz', duplicates=True)
    return tmp_path


def test_rows_are_the_config_with_other_tasks_left_out(tool, tiny):
    from _evidence_rows import ROWS, build
    from _evidence_rows import write_config as write_row

    register_all_modules()
    base = load_config(tiny / 'mmpt.py')
    read = {}
    for name in ROWS:
        path = write_row(name, tiny / 'mmpt.py', tiny / 'rows')
        cfg, model = load_config(path), build(path)
        read[name] = {part for part in ('tokenizer', 'decoder', 'image_encoder') if getattr(model, part) is not None}
        assert set(model.heads) == set(ROWS[name].tasks)
        hooks = [hook.type for hook in cfg.custom_hooks]
        assert ('ReconstructionPictures' in hooks) == ('plr' in ROWS[name].tasks) and 'EncoderEMAHook' in hooks
        # Nothing but tasks and the pictures of one differ.
        for key in ('encoder', 'masking', 'views', 'balancer'):
            assert cfg.model[key] == base.model[key]
        assert cfg.optim_wrapper == base.optim_wrapper and cfg.train_dataloader == base.train_dataloader
    # What no task reads is not there, and takes no time of the row.
    assert read['plr'] == {'decoder'} and read['tlr'] == {'decoder', 'tokenizer'}
    assert read['mcl_intra'] == set() and read['mcl_cross'] == {'image_encoder'}
    assert read['all'] == {'tokenizer', 'decoder', 'image_encoder'}
    intra, cross = (build(tiny / 'rows' / f'mcl_{name}.py').heads['mcl'] for name in ('intra', 'cross'))
    assert (intra.intra, intra.cross, cross.intra, cross.cross) == (1.0, 0.0, 0.0, 0.5)
    with pytest.raises(ConfigError, match='not tlr, plr and mcl'):
        write_row('plr', tiny / 'point_mae.py', tiny / 'rows')


def _job(trainings, folder, name, code, **more):
    return trainings.Job(['python', '-c', code], folder / f'{name}.log', name, **more)


def _quiet(*_):
    return ''


def test_commands_run_side_by_side_and_one_that_fails_stops_no_other(trainings, tmp_path):
    # Each waits for the other's file, so that one after the other they would never end.
    meet = 'import pathlib, time; pathlib.Path({!r}).touch()\nwhile not pathlib.Path({!r}).exists(): time.sleep(.01)'
    a, b = str(tmp_path / 'a'), str(tmp_path / 'b')
    seen = []

    def after(name, *jobs):
        def done(seconds):
            seen.append(name)
            return jobs

        return done

    behind = _job(
        trainings, tmp_path, 'behind', 'import os; print(os.environ["OMP_NUM_THREADS"])', done=after('behind')
    )
    jobs = [
        _job(trainings, tmp_path, 'first', meet.format(a, b), done=after('first', behind)),
        _job(trainings, tmp_path, 'second', meet.format(b, a), done=after('second')),
        _job(trainings, tmp_path, 'bad', 'raise SystemExit("no such thing")'),
        _job(trainings, tmp_path, 'last', 'pass', done=after('last')),
        _job(trainings, tmp_path, 'company', 'import time; time.sleep(100)', filler=True),
    ]
    (failed,) = trainings.work_off(jobs, 2, 3, _quiet)
    assert failed.startswith('bad failed (1): no such thing (see ')
    assert sorted(seen) == ['behind', 'first', 'last', 'second'] and seen.index('behind') > seen.index('first')
    assert (tmp_path / 'behind.log').read_text().splitlines()[-1] == '3'


def test_what_a_killed_command_left_behind_is_waited_for(trainings, tmp_path):
    left = (
        f'import sys; sys.path[:0] = {[str(ROOT / "tools"), str(ROOT / "tools/benchmarks"), str(ROOT)]}\n'
        'import os, pathlib, _trainings as t\n'
        'code = "import time; time.sleep(2); print(1)"\n'
        f'job = t.Job(["python", "-c", code], pathlib.Path({str(tmp_path)!r}, "x.log"), "x")\n'
        't._start(job, 1)\n'
        'os.kill(os.getpid(), 9)\n'
    )
    assert subprocess.run([sys.executable, '-c', left], check=False).returncode == -signal.SIGKILL
    started = []
    trainings.work_off([_job(trainings, tmp_path, 'x', 'print(2)', done=started.append)], 1, 1, _quiet)
    lines = [line for line in (tmp_path / 'x.log').read_text().splitlines() if line in ('1', '2')]
    assert len(started) == 1 and lines == ['1', '2']


def test_a_signal_is_handed_on_once_and_waited_for(trainings, tmp_path):
    save = (
        'import pathlib, signal, sys, time\n'
        f'here = pathlib.Path({str(tmp_path)!r})\n'
        'def stop(*_):\n    time.sleep(.3); (here / "saved").open("a").write("x"); sys.exit(130)\n'
        'signal.signal(signal.SIGINT, stop)\n(here / "ready").touch()\ntime.sleep(100)'
    )
    killer = subprocess.Popen(
        [
            sys.executable,
            '-c',
            f'import os, pathlib, time\nwhile not pathlib.Path({str(tmp_path / "ready")!r}).exists(): time.sleep(.02)\n'
            f'os.kill({os.getpid()}, {int(signal.SIGTERM)})',
        ]
    )
    before = signal.getsignal(signal.SIGTERM)
    jobs = [_job(trainings, tmp_path, 'first', save), _job(trainings, tmp_path, 'second', 'pass')]
    with pytest.raises(TrainingInterrupted, match='run the command again'):
        trainings.work_off(jobs, 1, 1, _quiet)
    assert killer.wait() == 0 and signal.getsignal(signal.SIGTERM) == before
    assert (tmp_path / 'saved').read_text() == 'x' and not (tmp_path / 'second.log').exists()


def test_options_hold_for_trainings_and_controls_alike(tool, tiny):
    """All read one config, which the options made."""
    argv = ['--smoke', '--config', str(tiny / 'mmpt.py'), '--work-dir', str(tiny / 'work'), '--device', 'cpu']
    given = tool.Evidence(tool.parse_args([*argv, '--cfg-options', 'optim_wrapper.amp=True', 'model.encoder.depth=3']))
    for path in (given.base, *given.configs.values()):
        cfg = load_config(path)
        assert cfg.optim_wrapper.amp is True and cfg.model.encoder.depth == 3
    (control,) = given.score_jobs('control', 0)
    assert control.command[control.command.index('--config') + 1] == str(given.base)
    given.state.put()
    with pytest.raises(ConfigError, match='another config or budget'):
        tool.Evidence(tool.parse_args(argv))


@pytest.mark.slow
def test_a_smoke_run_is_added_to_resumed_and_refused(tool, trainings, tiny, capsys, monkeypatch):
    monkeypatch.setattr(trainings, 'WARM_UP', 1)
    work = tiny / 'work'
    argv = ['--smoke', '--config', str(tiny / 'mmpt.py'), '--work-dir', str(work), '--jobs', '2', '--threads', '1']
    argv += ['--device', 'cpu', '--num-points', '64', '--data', str(tiny / 'shapes.npz'), '--rows']
    tool.main([*argv, 'plr', '--seeds', '0', '1'])
    first = json.loads((work / 'evidence.json').read_text())
    assert [row['row'] for row in first['rows']] == ['plr'] and first['tokenizer'] is None
    assert first['rows'][0]['summary']['shapes']['knn']['minus_all'] is None
    stamps = {path: path.stat().st_mtime_ns for path in work.glob('runs/*/seed*/**/*.*') if path.is_file()}

    # A row is added; what there is is neither trained nor scored again.
    tool.main([*argv, 'plr', 'all', '--seeds', '0', '1'])
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    result, items = json.loads((work / 'evidence.json').read_text()), np.load(work / 'items.npz')
    plr, whole = result['rows']
    assert plr['runs'] == first['rows'][0]['runs'] and result['control'] == first['control']
    assert (
        result['tokenizer']['checkpoint'] in whole['runs'][1]['command'] and '--seed 1' in whole['runs'][1]['command']
    )
    names = ['generated classes', 'shapes', 'shapes, without duplicates']
    assert list(result['control']) == list(result['protocols']) == list(result['shapes']) == names
    assert result['shapes']['shapes, without duplicates'] == {'train': 18, 'test': 6}
    for row in (plr, whole):
        assert row['iterations'] == 12 and row['samples'] == 96
        for name, metrics in row['summary'].items():
            for metric, summary in metrics.items():
                right = items[f'{row["row"]}/{name}/{metric}']
                assert right.shape == (2, result['shapes'][name]['test'])
                scores = [run['scores'][name][metric] for run in row['runs']]
                np.testing.assert_allclose(right.mean(1), scores)
                assert summary['mean'] == pytest.approx(np.mean(scores)) and summary['n'] == 2
                for other in ('control', 'all'):
                    gain = summary[f'minus_{other}']
                    assert gain['mean'] == pytest.approx(right.mean() - items[f'{other}/{name}/{metric}'].mean())
                    assert gain['low'] <= gain['mean'] <= gain['high']
        assert all((work / run['checkpoint']).is_file() and (work / run['folder']).is_dir() for run in row['runs'])
    # The two seeds are two runs, and a subset is scored on its own items.
    assert len({read_scalars(work / run['folder'])['loss'].values[0] for run in plr['runs']}) == 2
    kept = np.load(tiny / 'shapes.npz')['dup_test'] == 0
    np.testing.assert_array_equal(items['plr/shapes/knn'][:, kept], items['plr/shapes, without duplicates/knn'])
    control = result['control']['shapes']['runs'][0]
    assert control['best']['svm'] == max(control['raw']['svm'], control['calibrated']['svm'])
    page, printed = (work / 'evidence.md').read_text(), capsys.readouterr().out
    gain = whole['summary']['shapes']['svm']['minus_control']
    text = f'{gain["mean"]:+.3f} [{gain["low"]:+.3f}, {gain["high"]:+.3f}]'
    assert text in page and text in printed and 'too short to learn' in page
    assert all((work / f'evidence_{name}.png').is_file() for name in ('generated_classes', 'shapes'))

    # What a kill has left undone is done again, and nothing else.
    asked = []
    work_off = tool.work_off
    monkeypatch.setattr(
        tool, 'work_off', lambda jobs, *rest: asked.extend(job.title for job in jobs) or work_off(jobs, *rest)
    )
    (work / 'runs/all/seed1/scores/shapes.npz').unlink()
    tool.main([*argv, 'plr', 'all', '--seeds', '0', '1'])
    assert asked == ['the scores of all, seed 1']
    again = json.loads((work / 'evidence.json').read_text())
    assert again['rows'] == result['rows'] and again['control'] == result['control']

    with pytest.raises(ConfigError, match='another config or budget; add --fresh'):
        tool.main([*argv, 'plr', '--minutes', '7'])
    tool.forget(work)
    assert not (work / 'runs').exists() and not (work / 'evidence.json').exists()
