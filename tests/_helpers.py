"""Run the tools as a user does, in processes of their own, and compare what two runs left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]


def environment(env=None):
    paths = [str(ROOT), str(ROOT / 'tests' / 'test_engine'), os.environ.get('PYTHONPATH', '')]
    return {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(p for p in paths if p),
        'CUDA_VISIBLE_DEVICES': '',
        **(env or {}),
    }


def start_train(config, *args, nproc=1, env=None, cwd=None):
    """Begin tools/train.py, or tools/dist_train.sh for several processes."""
    tail = [str(config), *(str(nproc) for _ in range(nproc > 1)), *map(str, args)]
    if nproc > 1:
        command = ['bash', str(ROOT / 'tools' / 'dist_train.sh'), *tail]
        env = {'PYTHON': sys.executable, **(env or {})}
    else:
        command = [sys.executable, str(ROOT / 'tools' / 'train.py'), *tail]
    return subprocess.Popen(
        command,
        env=environment(env),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_train(config, *args, nproc=1, env=None, cwd=None, code=0):
    """Train to the end; returns what was printed."""
    process = start_train(config, *args, nproc=nproc, env=env, cwd=cwd)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == code, printed[-6000:]
    return printed


def wait_for(condition, process, seconds=120):
    """Wait until a running process has done something."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stdout.read()[-6000:]
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.02)


def load(path):
    from mmpt.utils.checkpoint import load_checkpoint

    return load_checkpoint(path)


def logged(checkpoint):
    """key -> every value that was logged, without times."""
    scalars = checkpoint['message_hub']['log_scalars']
    return {k: v.data[0].tolist() for k, v in scalars.items() if not k.endswith('time')}


def assert_same(one, other, where='', tolerance=None):
    """Two nested structures agree bit for bit, or their tensors to a tolerance."""
    assert type(one) is type(other), (where, type(one), type(other))
    if isinstance(one, dict):
        assert one.keys() == other.keys(), (where, one.keys() ^ other.keys())
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}', tolerance)
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other)):
            assert_same(a, b, f'{where}.{i}', tolerance)
    elif isinstance(one, torch.Tensor):
        if tolerance is None:
            assert torch.equal(one, other), where
        else:
            torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance, msg=lambda m: f'{where}: {m}')
    elif isinstance(one, float) and tolerance is not None:
        assert abs(one - other) <= tolerance * max(1, abs(one)), (where, one, other)
    else:
        assert one == other, (where, one, other)


def assert_same_training(one, other, tolerance=None):
    """Two checkpoints hold the same weights, averages, optimiser, schedules and log."""
    for part in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
        assert (part in one) == (part in other), part
        if part in one:
            assert_same(one[part], other[part], part, tolerance)
    assert_same(logged(one), logged(other), 'log', tolerance)
