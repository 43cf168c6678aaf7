"""When mmcv's compiled operations are used, and that nothing imports them before."""

import importlib
import subprocess
import sys

import pytest
import torch

from mmpt.ops import _mmcv


class OnCuda:
    """As much of a CUDA tensor as the decision looks at."""

    device = torch.device('cuda', 1)
    dtype = torch.float32


@pytest.fixture(autouse=True)
def fresh_answer():
    _mmcv._compiled_ops.cache_clear()
    yield
    _mmcv._compiled_ops.cache_clear()


def test_importing_ops_imports_neither_mmcv_nor_scipy():
    code = 'import sys, mmpt.ops; sys.exit(bool({"mmcv", "scipy"} & set(sys.modules)))'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


def test_cpu_tensors_never_ask(monkeypatch):
    monkeypatch.setattr(importlib, 'import_module', lambda name: pytest.fail(f'imported {name}'))
    assert _mmcv.fast_ops(torch.zeros(1)) is None


def test_found_when_compiled(monkeypatch, fake_mmcv):
    asked = []
    monkeypatch.setattr(importlib, 'import_module', lambda name: asked.append(name) or fake_mmcv)
    assert _mmcv.fast_ops(OnCuda()) is fake_mmcv
    assert _mmcv.fast_ops(OnCuda()) is fake_mmcv
    assert asked == ['mmcv.ops']


def test_float64_stays_with_the_reference(monkeypatch, fake_mmcv):
    monkeypatch.setattr(importlib, 'import_module', lambda name: fake_mmcv)
    cloud = OnCuda()
    cloud.dtype = torch.float64
    assert _mmcv.fast_ops(cloud) is None


def test_not_installed_or_not_compiled(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'mmcv._ext'")

    monkeypatch.setattr(importlib, 'import_module', missing)
    assert _mmcv.fast_ops(OnCuda()) is None


def test_compiled_without_cuda(monkeypatch, fake_mmcv):
    fake_mmcv.get_compiling_cuda_version = lambda: 'not available'
    monkeypatch.setattr(importlib, 'import_module', lambda name: fake_mmcv)
    assert _mmcv.fast_ops(OnCuda()) is None
