"""The commands themselves, from another folder."""

import itertools
import os
import subprocess
import sys

import pytest
import torch
from _helpers import ROOT, assert_same_training, environment, load

from mmpt.engine import launch
from mmpt.utils.errors import CheckpointError, ConfigError

COUNT = itertools.count()
CONFIG = ROOT / 'tests' / 'test_engine' / 'toy_config.py'


@pytest.fixture
def short(tmp_path):
    """Options of a short run, named by its folder: mmengine keeps loggers by a name of whole seconds."""
    return lambda **more: {
        'train_cfg.max_iters': 2,
        'visualizer.vis_backends': [],
        'experiment_name': f'{tmp_path.name}_{next(COUNT)}',
        **more,
    }


def test_train_then_score(tmp_path, capsys, short):
    options = short(**{'optim_wrapper.accumulative_counts': 4})
    runner = launch.train(
        str(CONFIG), work_dir=str(tmp_path), amp=True, auto_scale_lr=True, seed=5, cfg_options=options
    )
    assert runner.optim_wrapper.amp and runner.seed == 5
    # 4 samples x 4 accumulated are twice the base of 8, and so is the rate.
    assert {group['initial_lr'] for group in runner.optim_wrapper.optimizer.param_groups} == {2e-2}
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'One update: 4 samples x 1 processes x 4 accumulated = 16.' in log
    assert '(0.00 M) decayed; ' in log
    trained = runner.message_hub.get_scalar('val/toy/score').current()

    path = str(tmp_path / 'iter_2.pth')
    capsys.readouterr()
    scores = launch.test(str(CONFIG), path, work_dir=str(tmp_path / 'test'), cfg_options=short())
    assert scores['toy/score'] == pytest.approx(trained, rel=1e-6), 'the averages are scored, as in training'
    assert f'toy/score: {scores["toy/score"]:.4f}' in capsys.readouterr().out
    assert 'Scoring the moving averages of the encoder' in next((tmp_path / 'test').glob('*/*.log')).read_text()

    checkpoint = load(path)
    del checkpoint['ema_state_dict']
    torch.save(checkpoint, tmp_path / 'plain.pth')
    plain = launch.test(str(CONFIG), str(tmp_path / 'plain.pth'), work_dir=str(tmp_path / 'plain'), cfg_options=short())
    assert plain['toy/score'] != scores['toy/score']

    wide = short(**{'model.width': 24})
    with pytest.raises(
        CheckpointError, match=r'iter_2.pth is .* another architecture .* 4 matched, 0 missing, 0 unexp'
    ):
        launch.test(str(CONFIG), path, work_dir=str(tmp_path / 'wide'), cfg_options=wide)


def test_auto_resumes_from_what_the_work_dir_holds(tmp_path, short):
    """Two updates, then four more: as six at once."""
    for folder, stops in (('kept', (2, 6)), ('whole', (6,))):
        for place, stop in enumerate(stops):
            options = short(**{'train_cfg.max_iters': stop, 'default_hooks.checkpoint.interval': 2})
            runner = launch.train(
                str(CONFIG), work_dir=str(tmp_path / folder), resume='auto' if place else None, cfg_options=options
            )
            assert runner.iter == stop
    assert_same_training(load(tmp_path / 'kept' / 'iter_6.pth'), load(tmp_path / 'whole' / 'iter_6.pth'))
    fresh = launch.train(str(CONFIG), work_dir=str(tmp_path / 'new'), resume='auto', cfg_options=short())
    assert fresh.iter == 2


def test_what_cannot_be_run(tmp_path, short):
    def train(**kwargs):
        launch.train(str(CONFIG), work_dir=str(tmp_path), **kwargs)

    with pytest.raises(CheckpointError, match='nothing.pth does not exist'):
        train(resume='nothing.pth')
    with pytest.raises(ConfigError, match='auto_scale_lr.base_batch_size'):
        train(auto_scale_lr=True, cfg_options={'auto_scale_lr': None})
    with pytest.raises(ConfigError, match='--amp needs'):
        train(amp=True, cfg_options={'optim_wrapper.type': 'OptimWrapper'})
    with pytest.raises(ConfigError, match='NonFiniteHook needs'):
        train(cfg_options=short(**{'optim_wrapper.type': 'OptimWrapper'}))
    with pytest.raises(ConfigError, match='diff_rank_seed'):
        train(cfg_options=short(**{'randomness.diff_rank_seed': True}))
    with pytest.raises(ConfigError, match='needs RANK, WORLD_SIZE'):
        train(launcher='pytorch')
    with pytest.raises(ConfigError, match='needs a Slurm job'):
        train(launcher='slurm')
    with pytest.raises(ConfigError, match='no val_dataloader'):
        launch.test(str(CONFIG), 'x', cfg_options={'val_dataloader': None, 'val_cfg': None, 'val_evaluator': None})


def call(*command, cwd, **env):
    return subprocess.run(list(map(str, command)), cwd=cwd, env=environment(env), capture_output=True, text=True)


def test_commands_from_another_folder(tmp_path):
    done = call(sys.executable, ROOT / 'tools/train.py', 'nothing.py', '--device', 'cpu', cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.strip().splitlines()[-1] == 'mmpt: Config nothing.py does not exist.'
    assert 'Traceback' not in done.stderr
    done = call(
        sys.executable,
        ROOT / 'tools/misc/print_config.py',
        CONFIG,
        '--cfg-options',
        'train_cfg.max_iters=7',
        cwd=tmp_path,
    )
    assert 'max_iters=7' in done.stdout and "default_scope='mmpt'" in done.stdout
    done = call('bash', ROOT / 'tools/dist_train.sh', cwd=tmp_path)
    assert done.returncode == 2 and 'dist_train.sh CONFIG PROCESSES' in done.stderr


def test_slurm_command_and_environment(tmp_path, monkeypatch):
    """A stand-in for srun shows the command; the variables of a job become those of a process group of one."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    srun.chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'
    script = ROOT / 'tools/slurm_train.sh'
    done = call('bash', script, 'part', 'job', 'a b.py', '--amp', cwd=tmp_path, PATH=path, GPUS='16', PYTHON='py')
    words = done.stdout.splitlines()
    assert {'--partition=part', '--job-name=job', '--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8'} <= set(words)
    assert words[-7:] == ['py', '-u', str(ROOT / 'tools/train.py'), 'a b.py', '--launcher', 'slurm', '--amp']
    done = call('bash', script, 'part', 'job', 'a.py', cwd=tmp_path, PATH=path, GPUS='0', TASKS='2')
    assert '--ntasks=2' in done.stdout and '--gres' not in done.stdout

    job = {'PROCID': '0', 'NTASKS': '1', 'LOCALID': '0', 'NODELIST': '127.0.0.1', 'JOB_ID': '4711'}
    for key, value in job.items():
        monkeypatch.setenv(f'SLURM_{key}', value)
    for key in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(key, 'x')
        monkeypatch.delenv(key)
    from mmengine.dist import get_world_size, is_distributed

    from mmpt.engine.distributed import process_group

    with process_group('slurm'):
        assert is_distributed() and get_world_size() == 1 and os.environ['MASTER_PORT'] == '24711'
    assert not is_distributed()


@pytest.mark.parametrize(
    ('config', 'folder'),
    [
        ('configs/mmpt/pretrain_shapenet.py', 'work_dirs/mmpt/pretrain_shapenet'),
        ('configs/point_mae/pretrain_shapenet.py', 'work_dirs/point_mae/pretrain_shapenet'),
        ('/elsewhere/mine.py', 'work_dirs/mine'),
    ],
)
def test_every_config_has_a_work_dir_of_its_own(config, folder):
    path = config if config.startswith('/') else ROOT / config
    assert str(launch._default_work_dir(str(path))) == folder
