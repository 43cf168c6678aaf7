"""The shipped config: accumulation, bf16, and a NaN that slipped through the checks."""

import errno
import os
from pathlib import Path

import pytest
import torch
from _helpers import assert_same, load
from mmengine.hooks import Hook

import mmpt.models.losses.chamfer as chamfer_module
from mmpt.utils.checkpoint import latest_checkpoint
from mmpt.utils.errors import CheckpointError, NonFiniteLossError

SPOILT = 'composites-pretrain-0-000003'


class States(Hook):
    """Weights and buffers before every iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.states = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.states.append({key: value.clone() for key, value in runner.model.state_dict().items()})


def watched(runner):
    hook = States()
    runner.register_hook(hook)
    return hook.states


def test_accumulation_updates_every_second_iteration(build, tmp_path):
    options = ('optim_wrapper.accumulative_counts=2', 'train_cfg.max_iters=4')
    runner = build(tmp_path, *options, val=False)
    states, weights = watched(runner), [name for name, _ in runner.model.named_parameters()]
    runner.train()
    states.append(runner.model.state_dict())
    changed = [any(not torch.equal(a[key], b[key]) for key in weights) for a, b in zip(states, states[1:])]
    assert changed == [False, True, False, True]
    counted = 'encoder.patch_embed.norm1.num_batches_tracked'
    assert not torch.equal(states[0][counted], states[1][counted]), 'batch statistics do not wait'


def test_a_full_disk_keeps_the_last_good_checkpoint_of_the_shipped_config(build, tmp_path, monkeypatch):
    """With one to keep; what is left resumes and ends as the run on a disk with room."""
    options = ('train_cfg.max_iters=6', 'default_hooks.checkpoint.max_keep_ckpts=1')
    runner, fsync = build(tmp_path / 'run', *options, val=False), os.fsync

    def full(descriptor):
        if 'iter_6' in os.readlink(f'/proc/self/fd/{descriptor}'):
            raise OSError(errno.ENOSPC, 'No space left on device')
        fsync(descriptor)

    with monkeypatch.context() as patch, pytest.raises(CheckpointError, match='No space left on device.*iter_3.pth'):
        patch.setattr(os, 'fsync', full)
        runner.train()
    kept = latest_checkpoint(tmp_path / 'run')
    assert kept == str(tmp_path / 'run' / 'iter_3.pth') and [p.name for p in (tmp_path / 'run').glob('*.pth')] == [
        'iter_3.pth'
    ]
    again = build(tmp_path / 'run', *options, val=False, resume=True, load_from=kept)
    again.train()
    whole = build(tmp_path / 'whole', *options, val=False)
    whole.train()
    assert_same(load(tmp_path / 'run/iter_6.pth')['state_dict'], load(tmp_path / 'whole/iter_6.pth')['state_dict'])


def test_bf16_trains_with_float32_weights_and_float32_geometry(build, tmp_path, monkeypatch):
    runner = build(tmp_path, 'train_cfg.max_iters=2', 'optim_wrapper.amp=True', val=False)
    model, seen = runner.model, {'linear': [], 'chamfer': [], 'patches': [], 'amp': []}
    model.encoder.blocks[0].mlp.fc1.register_forward_hook(lambda module, args, out: seen['linear'].append(out.dtype))
    distance, group = chamfer_module.chamfer_distance, model.encoder.group

    def same_without(function, *args):
        seen['amp'].append(torch.is_autocast_enabled('cpu'))
        out = function(*args)
        with torch.autocast('cpu', enabled=False):
            return out, function(*args)

    def watched_distance(*args):
        out, plain = same_without(distance, *args)
        assert args[0].dtype == torch.float32 and args[1].dtype == torch.float32
        seen['chamfer'].append(out.dtype == torch.float32 and torch.equal(out, plain))
        return out

    def watched_group(points):
        out, plain = same_without(group, points)
        seen['patches'].append(all(a.dtype == torch.float32 and torch.equal(a, b) for a, b in zip(out[:2], plain[:2])))
        return out

    monkeypatch.setattr(chamfer_module, 'chamfer_distance', watched_distance)
    monkeypatch.setattr(model.encoder, 'group', watched_group)
    before = {key: value.clone() for key, value in model.named_parameters() if value.requires_grad}
    runner.train()
    # Pictures, drawn behind the last step, are made without.
    assert torch.bfloat16 in seen['linear'] and any(seen['amp'])
    assert seen['chamfer'] and all(seen['chamfer']) and all(seen['patches'])
    after = dict(model.named_parameters())
    assert all(value.dtype == torch.float32 for value in model.state_dict().values() if value.is_floating_point())
    assert sum(not torch.equal(value, after[key]) for key, value in before.items()) > 0.9 * len(before)


def test_nan_behind_the_checks_stops_with_tasks_and_samples_and_is_undone(build, tmp_path):
    """It reaches every running statistic of the point branch in its forward pass; none of them keeps it."""
    runner = build(
        tmp_path,
        **{
            'model.data_preprocessor': {'type': 'SpoilingPreprocessor', 'sample_id': SPOILT, 'epoch': 1},
        },
        val=False,
    )
    states = watched(runner)
    with pytest.raises(NonFiniteLossError) as error:
        runner.train()
    step = len(states)
    assert 4 < step <= 8
    (path,) = Path(runner.work_dir).glob('non_finite*.pth')
    saved = load(path)
    assert path.name == f'non_finite_iter_{step}_rank_0.pth' and str(path) in str(error.value)
    assert SPOILT in saved['sample_ids'] and len(saved['sample_ids']) == 4
    assert f'in iteration {step};' in str(error.value) and ', '.join(saved['sample_ids']) in str(error.value)
    assert all(task in str(error.value).split('was not')[0] for task in ('mcl', 'plr', 'tlr'))
    assert_same(states[-1], {key: value.clone() for key, value in runner.model.state_dict().items()})
    assert all(value.isfinite().all() for value in states[-1].values())
    last = sorted(Path(runner.work_dir).glob('iter_*.pth'))[-1]
    assert all(value.isfinite().all() for value in load(last)['state_dict'].values())
