"""The shipped config: the same run whatever the workers and however often it is killed, and scored as it was logged."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from _helpers import ROOT, assert_same, assert_same_training, environment, load, run_train
from mmengine.hooks import Hook
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mmpt.evaluation import load_features
from mmpt.utils.checkpoint import latest_checkpoint


class Trace(Hook):
    """Every batch a run was given."""

    priority = 'LOWEST'

    def __init__(self):
        self.batches = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        ids = [(s.epoch, s.sample_id) for s in data_batch['data_samples']]
        self.batches.append((ids, {key: torch.stack(value) for key, value in data_batch['inputs'].items()}))


@pytest.fixture(scope='module')
def whole(build, tmp_path_factory):
    """The uninterrupted run without workers: its Runner, its batches, its folder."""
    folder = tmp_path_factory.mktemp('whole')
    runner = build(folder, f'val_evaluator.0.save_features={folder / "features.npz"}')
    trace = Trace()
    runner.register_hook(trace)
    dropped = []
    runner.model.encoder.blocks[1].drop_path1.register_forward_hook(
        lambda module, args, out: dropped.append((out == 0).flatten(1).all(1).any()) if module.training else None
    )
    runner.train()
    assert any(dropped), 'drop-path is on'
    return runner, trace.batches, folder


@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_0_1_and_3_workers_give_identical_batches(whole, build, tmp_path):
    _, expected, folder = whole
    for workers in (1, 3):
        runner = build(
            tmp_path / str(workers), f'train_dataloader.num_workers={workers}', 'train_cfg.max_iters=6', val=False
        )
        trace = Trace()
        runner.register_hook(trace)
        runner.train()
        # Ends the workers; left to the garbage collector, torch may wait five seconds for each.
        runner.train_loop.dataloader_iterator._iterator = None
        assert len(trace.batches) == 6
        for (ids, inputs), (other_ids, other) in zip(expected, trace.batches):
            assert ids == other_ids and inputs.keys() == other.keys() >= {'points', 'images', 'has_image'}
            assert all(torch.equal(value, other[key]) for key, value in inputs.items())
        # The rates of a run follow from its length; what it learnt does not.
        one, two = (load(place / 'iter_6.pth') for place in (folder, tmp_path / str(workers)))
        assert_same(one['state_dict'], two['state_dict'])
    epochs = [{epoch for epoch, _ in ids} for ids, _ in expected]
    assert epochs[0] == {0} and epochs[-1] == {3}, 'batches of several epochs were compared'
    assert not torch.equal(expected[0][1]['images'], expected[1][1]['images'])


def test_killed_within_a_step_and_resumed_is_uninterrupted(whole, small, build, tmp_path):
    """SIGKILL between update and checkpoint, in the middle of an epoch, with a worker busy."""
    config = tmp_path / 'killed.py'
    config.write_text(
        f"_base_ = '{small}'\ncustom_imports = dict(imports=['spoiled_parts'], allow_failed_imports=False)\n"
        "custom_hooks = [*_base_.custom_hooks, dict(type='KillHook', step=10)]\n"
    )
    env = {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(Path(__file__).parent)}
    work_dir = tmp_path / 'run'
    run_train(config, '--work-dir', work_dir, '--cfg-options', 'train_dataloader.num_workers=1', env=env, code=-9)
    path = latest_checkpoint(work_dir)
    assert load(path)['meta']['iter'] == 9 and not (work_dir / 'iter_12.pth').exists()
    runner = build(work_dir, resume=True, load_from=path)
    runner.train()
    assert_same_training(load(work_dir / 'iter_14.pth'), load(whole[2] / 'iter_14.pth'))


def test_the_command_scores_a_checkpoint_as_the_run_logged_it(whole, small, tmp_path):
    """By the averages, not by the weights; and the file of features holds what the scores came from."""
    runner, _, folder = whole
    logged = {key: runner.message_hub.get_scalar(f'val/probe/{key}').current() for key in ('knn', 'svm')}
    checkpoint = folder / 'iter_14.pth'
    saved = load(checkpoint)
    average, plain = saved['ema_state_dict'], saved['state_dict']
    assert any(not torch.equal(value, plain[key]) for key, value in average.items())
    done = subprocess.run(
        [sys.executable, ROOT / 'tools/test.py', small, checkpoint, '--work-dir', tmp_path, '--device', 'cpu']
        + ['--cfg-options', f'val_evaluator.0.save_features={tmp_path / "again.npz"}'],
        env=environment({'OMP_NUM_THREADS': '1'}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for key, value in logged.items():
        assert f'probe/{key}: {value:.4f}' in done.stdout.splitlines()
    first, again = (load_features(place) for place in (folder / 'features.npz', tmp_path / 'again.npz'))
    assert np.array_equal(first.features, again.features) and np.array_equal(first.ids, again.ids)
    C = runner.message_hub.get_scalar('val/probe/svm_C').current()
    assert svm_by_hand(again, C) == pytest.approx(logged['svm'], abs=1e-12)


def svm_by_hand(data, C):
    """With scikit-learn alone, C chosen by the folds of the training part."""
    (x, y), (test_x, test_y) = data.part('train'), data.part('test')
    protocol = data.protocol

    def pipeline(value):
        return make_pipeline(StandardScaler(), LinearSVC(C=value, dual='auto', tol=1e-3, random_state=protocol.seed))

    folds = StratifiedKFold(protocol.folds, shuffle=True, random_state=protocol.seed)
    means = [cross_val_score(pipeline(value), x, y, cv=folds).mean() for value in protocol.grid]
    assert protocol.grid[int(np.argmax(means))] == C
    return pipeline(C).fit(x, y).score(test_x, test_y)
