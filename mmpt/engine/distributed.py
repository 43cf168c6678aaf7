"""Processes: one recipe for CPU and GPU, for torchrun and Slurm.

mmengine's ``init_dist`` only knows GPUs. It is skipped where a process group exists, so ours comes first.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmpt.utils.errors import ConfigError

__all__ = ['all_ranks_max', 'process_group', 'unwrap']

LAUNCHERS = ('none', 'pytorch', 'slurm')


@contextmanager
def process_group(launcher: str, timeout_minutes: float = 30) -> Iterator[None]:
    """Join the other processes of the run, and leave them at the end whatever happens.

    Args:
        launcher (str): ``none``, ``pytorch`` (torchrun) or ``slurm``.
        timeout_minutes (float): how long one process waits for another.
    """
    if launcher not in LAUNCHERS:
        raise ConfigError(f'--launcher must be one of {", ".join(LAUNCHERS)}, not {launcher!r}.')
    if launcher == 'none':
        yield
        return
    if launcher == 'slurm':
        _read_slurm()
    missing = [
        key for key in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT') if key not in os.environ
    ]
    if missing:
        raise ConfigError(
            f'--launcher {launcher} needs {", ".join(missing)} in the environment: start with tools/dist_train.sh or '
            'tools/slurm_train.sh.'
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        backend = 'nccl'
    else:
        _share_cores()
        backend = 'gloo'
    dist.init_process_group(backend, timeout=timedelta(minutes=timeout_minutes))
    try:
        yield
    finally:
        dist.destroy_process_group()


def _share_cores() -> None:
    """Give every process on this machine its part of the cores; torchrun would give it one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    torch.set_num_threads(max(1, cores // int(os.environ.get('LOCAL_WORLD_SIZE', '1'))))


def _read_slurm() -> None:
    """Translate Slurm's variables into torchrun's."""
    env = os.environ
    if 'SLURM_PROCID' not in env:
        raise ConfigError('--launcher slurm needs a Slurm job: start with tools/slurm_train.sh.')
    tasks_here = env.get('SLURM_NTASKS_PER_NODE') or env.get('SLURM_STEP_TASKS_PER_NODE', '1')
    env['RANK'] = env['SLURM_PROCID']
    env['WORLD_SIZE'] = env['SLURM_NTASKS']
    env['LOCAL_RANK'] = env.get('SLURM_LOCALID', '0')
    env['LOCAL_WORLD_SIZE'] = tasks_here.split('(')[0].split(',')[0]
    if 'MASTER_ADDR' not in env:
        env['MASTER_ADDR'] = _first_host(env.get('SLURM_STEP_NODELIST') or env.get('SLURM_NODELIST', '127.0.0.1'))
    # Two jobs on one machine must not meet.
    env.setdefault('MASTER_PORT', str(20000 + int(env.get('SLURM_JOB_ID', '0')) % 20000))


def _first_host(nodes: str) -> str:
    if not set('[,') & set(nodes):
        return nodes
    listed = subprocess.run(['scontrol', 'show', 'hostnames', nodes], capture_output=True, text=True, check=True)
    return listed.stdout.split()[0]


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside a distributed wrapper."""
    return model.module if is_model_wrapper(model) else model


def all_ranks_max(value: Tensor) -> Tensor:
    """The largest value of all processes, in place."""
    if dist.is_initialized():
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return value
