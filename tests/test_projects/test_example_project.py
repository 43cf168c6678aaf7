"""The example project trains as its README says, with nothing of mmpt touched."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import projects.example_project as example
from mmpt.apis import load_encoder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Three iterations by the command line, started from another folder."""
    folder = tmp_path_factory.mktemp('example')
    options = {
        'train_cfg.max_iters': 3,
        'train_dataloader.dataset.size': 16,
        'train_dataloader.dataset.cache_dir': folder / 'cache',
        'train_dataloader.dataset.cache_workers': 1,
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
        'default_hooks.checkpoint.save_best': None,
        'default_hooks.logger.interval': 1,
    }
    done = subprocess.run(
        [
            *(sys.executable, ROOT / 'tools' / 'train.py', ROOT / 'projects' / 'example_project' / 'pretrain.py'),
            *('--work-dir', folder / 'run', '--device', 'cpu', '--cfg-options'),
            *(f'{key}={value}' for key, value in options.items()),
        ],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': '', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return folder / 'run', done.stdout + done.stderr


def test_it_trains_and_logs_its_task(trained):
    folder, printed = trained
    assert 'task/agreement' in printed and 'agreement/similarity' in printed
    assert (folder / 'iter_3.pth').is_file()


def test_its_encoder_comes_back_from_the_checkpoint(trained):
    encoder = load_encoder(trained[0] / 'iter_3.pth')
    assert isinstance(encoder, example.TinyPointNet)
    points = torch.randn(2, 20, 3)
    with torch.no_grad():
        tokens = encoder(points)
        shuffled = encoder(points.flip(1))
    assert tokens.patch.shape == (2, 20, encoder.dim)
    torch.testing.assert_close(tokens.patch.flip(1), shuffled.patch)


def test_the_loss_is_zero_for_equal_uncorrelated_features_and_grows_otherwise():
    criterion = example.CrossCorrelationLoss()
    # Columns of a Hadamard matrix: centred, uncorrelated.
    rows = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert criterion(rows, rows) < 1e-6
    assert criterion(rows, rows.flip(1)) > 1
    same = rows[:, :1].expand(-1, 2)
    assert criterion(same, same) == pytest.approx(0.02, rel=1e-3)


def test_the_cut_keeps_one_side_and_its_rows():
    points = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    results = {'points': points, 'parts': np.arange(100), 'rng': np.random.default_rng(1)}
    cut = example.CutByPlane(keep=0.3)(results)
    assert len(cut['points']) == 30 and np.array_equal(points[cut['parts']], cut['points'])
    direction = np.random.default_rng(1).standard_normal(3)
    dropped = np.setdiff1d(np.arange(100), cut['parts'])
    assert (points[cut['parts']] @ direction).max() < (points[dropped] @ direction).min()
    with pytest.raises(ValueError, match='keep'):
        example.CutByPlane(keep=0)
