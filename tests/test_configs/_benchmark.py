"""tools/benchmark.py with a tiny checkpoint, and its trainings in the process of the test: starting one takes long."""

import importlib
import json
import os
import runpy
import sys

import numpy as np
import pytest
import torch
from _scripts import load_script
from _small import ROOT

from mmpt.registry import ENCODERS

ENCODER = {'type': 'PointTransformer', 'num_groups': 8, 'group_size': 8, 'dim': 16, 'depth': 3, 'num_heads': 2}
ENCODER |= {'drop_path': 0.0, 'cls_token': False, 'patch_widths': [8, 16, 16], 'init': 'default'}


def load_tool():
    """The module, its parts imported."""
    module = load_script('tools/benchmark.py')
    for part in ('bench', 'selection', 'table'):
        importlib.import_module(f'_suite.{part}')
    return module


def write_checkpoint(folder):
    """``pretrain.pth``, which says of its data that they were y up, in the unit sphere, 1,024 points."""
    torch.manual_seed(0)
    encoder = ENCODERS.build(dict(ENCODER))
    state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
    trained_on = {'up_axis': 'y', 'normalize': 'unit_sphere', 'num_points': 1024}
    meta = {'encoder_cfg': ENCODER, 'dataset_meta': trained_on}
    torch.save({'meta': meta, 'state_dict': state}, folder / 'pretrain.pth')


def train_here(monkeypatch):
    """Let the tool's trainings and scorings run in this process."""

    def run_here(command, log):
        monkeypatch.setattr(sys, 'argv', list(command))
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / command[0]), run_name='__main__')
        if end.value.code:
            raise RuntimeError(' '.join(command))
        return 1.0

    monkeypatch.setattr(sys.modules['_suite.bench'], '_process', run_here)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', os.environ.get('CUDA_VISIBLE_DEVICES', ''))


def few_generated_shapes(monkeypatch):
    """Random clouds in place of the generated shapes that controls take their statistics from."""
    selection = sys.modules['_suite.selection']
    clouds, val_shapes = np.random.default_rng(0).normal(size=(8, 64, 3)).astype(np.float32), selection.val_shapes

    def shapes(config, *args, **kwargs):
        if config == ROOT / 'configs/mmpt/quickstart_pretrain.py':
            return {'train': (clouds, np.arange(8) % 2)}
        return val_shapes(config, *args, **kwargs)

    monkeypatch.setattr(selection, 'val_shapes', shapes)


def run(tool, place, *options):
    """The tool on the checkpoint in ``place``; what report.json says."""
    tool.main([str(place / 'pretrain.pth'), '--work-dir', str(place / 'out'), '--device', 'cpu', *options])
    return json.loads((place / 'out' / 'report.json').read_text())
