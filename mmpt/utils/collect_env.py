"""``python -m mmpt.utils.collect_env``: what to paste into a bug report."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import torch

import mmpt

from .versions import installed_version

__all__ = ['collect_env']

_DISTRIBUTIONS = (
    'torchvision',
    'timm',
    'numpy',
    'opencv-python',
    'scikit-learn',
    'h5py',
    'trimesh',
    'matplotlib',
    'plotly',
    'tensorboard',
    'onedl-mmengine',
    'onedl-mmcv',
)


def collect_env() -> dict[str, str]:
    """Versions, devices, and whether the compiled operations of mmcv are there.

    Returns:
        dict[str, str]: what -> value, in the order to print.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    env = {
        'mmpt': f'{mmpt.__version__}{_commit()} ({os.path.dirname(mmpt.__file__)})',
        'python': sys.version.split()[0],
        'platform': platform.platform(),
        'cpu': f'{_processor()}, {cores} cores for this process, {torch.get_num_threads()} threads of torch',
        'torch': f'{torch.__version__}, CUDA {torch.version.cuda}',
    }
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            env[f'gpu {i}'] = torch.cuda.get_device_name(i)
    else:
        env['gpu'] = 'none'
    env['mmcv ops'] = _mmcv_ops()
    for name in _DISTRIBUTIONS:
        env[name] = installed_version(name) or 'not installed'
    env['GLIBC_TUNABLES'] = os.environ.get('GLIBC_TUNABLES', 'not set (see tools/_cpu_env.sh)')
    return env


def _commit() -> str:
    """What a checkout is at, behind a dash, and ``-dirty`` where it holds changes; nothing for an installed package."""
    root = Path(mmpt.__file__).parents[1]
    if not (root / '.git').exists():
        return ''
    command = ['git', '-C', str(root), 'describe', '--always', '--dirty', '--exclude=*']
    try:
        return '-' + subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ''


def _processor() -> str:
    """Name and the widest vector instructions that torch uses: AVX-512 makes a step clearly faster."""
    known = Path('/proc/cpuinfo')
    name = re.search(r'^model name\s*:\s*(.+)$', known.read_text(), re.MULTILINE) if known.is_file() else None
    return f'{name[1] if name else platform.machine()} with {torch.backends.cpu.get_cpu_capability()}'


def _mmcv_ops() -> str:
    if importlib.util.find_spec('mmcv') is None:
        return 'mmcv is not installed'
    return 'compiled' if importlib.util.find_spec('mmcv._ext') else 'pure Python (enough for a CPU)'


if __name__ == '__main__':
    for what, value in collect_env().items():
        print(f'{what:16} {value}')
