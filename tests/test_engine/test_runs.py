"""Whole runs: the same whatever the workers, the processes, and however often they are killed."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
import torch
from _helpers import ROOT, assert_same, assert_same_training, load, logged, run_train, start_train, wait_for
from mmengine.hooks import Hook
from toy_parts import ToyModel

from mmpt.utils.checkpoint import latest_checkpoint
from mmpt.utils.errors import MMPTError, NonFiniteLossError, explain

CONFIG = ROOT / 'tests' / 'test_engine' / 'toy_config.py'
ONE_THREAD = {'OMP_NUM_THREADS': '1'}
ITERATION = re.compile(r'Iter\(train\) \[ *(\d+)/')


class Trace(Hook):
    """What a run was given: ids and values of every batch."""

    def __init__(self):
        self.batches = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        ids = [(s.epoch, s.sample_id) for s in data_batch['data_samples']]
        self.batches.append((ids, torch.stack(data_batch['inputs']['points'])))


def test_workers_make_no_difference(toy):
    traces, checkpoints = [], []
    for workers in (0, 1, 3):
        runner = toy(f'train_dataloader.num_workers={workers}', 'train_cfg.max_iters=11', name=f'workers{workers}')
        traces.append(Trace())
        runner.register_hook(traces[-1])
        runner.train()
        # Ends the workers; left to the garbage collector, torch may wait five seconds for each.
        runner.train_loop.dataloader_iterator._iterator = None
        checkpoints.append(load(Path(runner.work_dir) / 'iter_11.pth'))
    assert len(traces[0].batches) == 11
    assert traces[0].batches[9][0][0][0] == 0 and traces[0].batches[9][0][-1][0] == 1, 'a batch crosses the epochs'
    for trace, checkpoint in zip(traces[1:], checkpoints[1:]):
        for (ids, points), (other_ids, other_points) in zip(traces[0].batches, trace.batches):
            assert ids == other_ids and torch.equal(points, other_points)
        assert_same_training(checkpoints[0], checkpoint)


@pytest.fixture(scope='module')
def whole(build_toy, tmp_path_factory):
    """The uninterrupted run."""
    runner = build_toy(tmp_path_factory.mktemp('whole'))
    runner.train()
    return load(Path(runner.work_dir) / 'iter_20.pth')


def text(folder):
    return ''.join(path.read_text() for path in Path(folder).glob('*/*.log'))


@pytest.mark.parametrize('sent', [signal.SIGKILL, signal.SIGTERM])
def test_stopped_and_resumed_is_uninterrupted(whole, build_toy, tmp_path, sent):
    """In the middle of an epoch, between two checkpoints, with workers busy: weights, averages, optimiser and log."""
    slow = ['train_dataloader.dataset.slow=0.03', 'train_dataloader.num_workers=1', 'default_hooks.logger.interval=1']
    process = start_train(CONFIG, '--work-dir', tmp_path, '--cfg-options', *slow, env=ONE_THREAD)
    wait_for(lambda: any(int(i) >= 8 for i in ITERATION.findall(text(tmp_path))), process)
    # To the workers as well, as Slurm and a terminal do.
    os.killpg(process.pid, sent)
    printed, _ = process.communicate(timeout=60)
    assert not (tmp_path / 'iter_20.pth').exists()
    stopped = 6
    if sent == signal.SIGTERM:
        assert process.returncode == 143
        last = printed.strip().splitlines()[-1]
        stopped = int(re.search(r'Stopped after iteration (\d+) of 20', last)[1])
        assert 8 <= stopped < 20 and 'Traceback' not in printed
        assert f'--work-dir {tmp_path} --resume`' in last
    path = latest_checkpoint(tmp_path)
    began = load(path)['meta']['iter']
    assert began >= stopped
    runner = build_toy(tmp_path, resume=True, load_from=path)
    runner.train()
    printed = text(tmp_path)
    assert f'resumed epoch: 0, iter: {began}' in printed and 'Falling back' not in printed
    assert_same_training(load(tmp_path / 'iter_20.pth'), whole)


@pytest.mark.parametrize('step', [16, 20])
def test_a_run_resumed_before_a_validation_begins_with_it(whole, toy, step):
    """A checkpoint is written before the validation of its iteration: killed in between, a run would lack one."""
    first = toy('default_hooks.checkpoint.interval=16')
    first.train()
    again = toy(name='again', resume=True, load_from=str(Path(first.work_dir) / f'iter_{step}.pth'))
    again.train()
    one, other = (logged({'message_hub': runner.message_hub.state_dict()}) for runner in (again, first))
    assert_same(one, other)
    assert len(one['val/toy/score']) == 3
    if step < 20:
        assert_same_training(load(Path(again.work_dir) / 'iter_20.pth'), whole)


@pytest.mark.parametrize('point', ['update', 'write'])
def test_a_signal_never_splits_a_step(toy, monkeypatch, point):
    """It comes between the backward pass and the update, or while a checkpoint is written; twice, as torchrun does."""
    runner = toy('train_cfg.max_iters=9', 'default_hooks.checkpoint.interval=3')
    target, name = (type(runner), 'save_checkpoint') if point == 'write' else (torch.optim.AdamW, 'step')
    original, calls = getattr(target, name), []

    def interrupted(self, *args, **kwargs):
        calls.append(None)
        if len(calls) == (2 if point == 'write' else 5):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(target, name, interrupted)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(MMPTError, match=f'Stopped after iteration {6 if point == "write" else 5} of 9') as stop:
        runner.train()
    assert stop.value.exit_code == 143 and signal.getsignal(signal.SIGTERM) is before
    step = runner.iter + 1
    monkeypatch.undo()
    straight = toy(f'train_cfg.max_iters={step}', name='straight')
    straight.train()
    one, other = (load(Path(r.work_dir) / f'iter_{step}.pth') for r in (runner, straight))
    assert_same(one['state_dict'], other['state_dict'])
    assert_same(one['optimizer']['state'], other['optimizer']['state'])


def test_second_signal_stops_at_once(toy, monkeypatch):
    from mmpt.engine.hooks import interrupt_hook

    runner = toy('train_cfg.max_iters=9')
    monkeypatch.setattr(interrupt_hook, '_ONE_PRESS', -1.0)

    def press_twice(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(torch.optim.AdamW, 'step', press_twice)
    # A shell that starts the tests in its background lets them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    finally:
        signal.signal(signal.SIGINT, before)


def test_not_a_number_names_task_and_samples(toy):
    runner = toy('train_dataloader.dataset.bad=(0,8)', 'default_hooks.logger.interval=1')
    trace = Trace()
    runner.register_hook(trace)
    before = []
    runner.register_hook(StateBefore(before))
    with pytest.raises(NonFiniteLossError) as error:
        runner.train()
    step = len(trace.batches)
    ids = [i for _, i in trace.batches[-1][0]]
    assert 'toy-8' in ids
    path = Path(runner.work_dir) / f'non_finite_iter_{step}_rank_0.pth'
    assert explain(error.value) == (
        f'The loss of plr was not finite in iteration {step}; the update was undone and the batch saved as {path}; '
        f'samples: {", ".join(ids)}.'
    )
    saved = load(path)
    assert saved['sample_ids'] == ids and saved['iter'] == step - 1
    assert torch.stack(saved['inputs']['target']).isnan().sum() == 1
    model, optimizer = before[-1]
    assert_same(model, {k: v.clone() for k, v in runner.model.state_dict().items()})
    assert_same(optimizer, runner.optim_wrapper.optimizer.state_dict()['state'])
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == step - 1, 'the bad step is not in the log'


class StateBefore(Hook):
    def __init__(self, states):
        self.states = states

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = {k: v.clone() for k, v in runner.model.state_dict().items()}
        state = runner.optim_wrapper.optimizer.state_dict()['state']
        self.states.append((model, {i: {k: v.clone() for k, v in s.items()} for i, s in state.items()}))


def test_not_a_number_found_late(toy):
    """As on a GPU: the look comes every few steps, the step itself was undone where it happened."""
    runner = toy(
        'train_dataloader.dataset.bad=(0,8)', 'default_hooks.non_finite.interval=5', 'optim_wrapper.defer=True'
    )
    trace = Trace()
    runner.register_hook(trace)
    with pytest.raises(NonFiniteLossError) as error:
        runner.train()
    bad = next(i for i, (ids, _) in enumerate(trace.batches) if (0, 'toy-8') in ids)
    assert (
        f'in iteration {bad + 1};' in str(error.value) and len(trace.batches) % 5 == 0 and len(trace.batches) > bad + 1
    )
    assert all(v.isfinite().all() for v in runner.model.state_dict().values())
    # The batch before it was the last that counted; those after it went on from there.
    assert runner.model.encoder[1].num_batches_tracked == len(trace.batches) - 1


def test_two_processes_are_one_and_stop_as_one(build_toy, tmp_path):
    """2 x B/2 equals 1 x B over 20 steps; later one rank meets a NaN and both stop with one sentence."""
    options = ['model.batch_norm=False', 'model.dropout=0.', 'train_cfg.val_interval=100', 'train_cfg.max_iters=30']
    options += ['default_hooks.checkpoint.interval=20', 'train_dataloader.dataset.bad=(5,8)']
    one, two = tmp_path / 'one', tmp_path / 'two'
    with pytest.raises(NonFiniteLossError) as error:
        build_toy(one, *options, 'train_dataloader.batch_size=8').train()
    half = 'train_dataloader.batch_size=4'
    printed = run_train(CONFIG, '--work-dir', two, '--cfg-options', *options, half, nproc=2, code=2)

    alone, shared = (load(folder / 'iter_20.pth') for folder in (one, two))
    for part in ('state_dict', 'ema_state_dict'):
        assert_same(alone[part], shared[part], part, tolerance=1e-4)
    assert_same(alone['optimizer']['state'], shared['optimizer']['state'], 'optimizer', tolerance=1e-4)
    # The loss in the log is the first rank's own; the norm of the gradient is everybody's.
    norms = [logged(checkpoint)['train/grad_norm'] for checkpoint in (alone, shared)]
    assert_same(*norms, 'grad_norm', tolerance=1e-4)

    said = [line for line in printed.splitlines() if line.startswith('mmpt:')]
    assert len(said) == 1 and 'Traceback' not in printed, printed[-3000:]
    (saved,) = two.glob('non_finite*.pth')
    assert str(saved) in said[0] and 'toy-8' in load(saved)['sample_ids'] and 'toy-8' in said[0]
    where = re.search(r'The loss of plr was not finite in iteration \d+;', said[0])[0]
    assert where in str(error.value) and 'toy-8' in str(error.value)


@pytest.mark.slow
def test_two_processes_interrupted(tmp_path):
    slow = ['train_dataloader.dataset.slow=0.05', 'default_hooks.logger.interval=1', 'model.batch_norm=False']
    process = start_train(CONFIG, '--work-dir', tmp_path, '--cfg-options', *slow, nproc=2)
    wait_for(lambda: any(int(i) >= 4 for i in ITERATION.findall(text(tmp_path))), process)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed[-3000:]
    stopped = int(re.search(r'mmpt: Stopped after iteration (\d+) of 20', printed)[1])
    assert load(tmp_path / f'iter_{stopped}.pth')['meta']['iter'] == stopped


def test_log_has_what_a_user_follows(toy):
    runner = toy('train_cfg.max_iters=4', 'train_cfg.val_interval=4')
    runner.train()
    (scalars,) = Path(runner.log_dir).glob('vis_data/scalars.json')
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert {'loss', 'task/plr', 'task/mcl', 'lr', 'grad_norm', 'time', 'temperature', 'step'} <= lines[0].keys()
    assert lines[0]['task/plr'] == pytest.approx(
        sum(runner.message_hub.get_scalar('train/task/plr').data[0]) / 4, rel=1e-6
    )
    assert 'toy/score' in lines[1] and lines[1]['step'] == 4
    assert 'eta: 0:00' in text(runner.work_dir)


def test_an_accumulated_run_stops_behind_an_update_and_resumes_exactly(toy, monkeypatch):
    """Ctrl-C comes in the first of three parts; the sum of two would be in no checkpoint."""
    summed = ('optim_wrapper.accumulative_counts=3', 'default_hooks.checkpoint.interval=9')
    straight = toy('train_cfg.max_iters=18', *summed, name='straight')
    straight.train()
    runner, forward = toy('train_cfg.max_iters=18', *summed), ToyModel.forward
    calls = []

    def press(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            calls.append(None)
            if len(calls) == 7:
                signal.raise_signal(signal.SIGINT)
        return forward(self, inputs, data_samples, mode)

    monkeypatch.setattr(ToyModel, 'forward', press)
    with pytest.raises(MMPTError, match='Stopped after iteration 9 of 18'):
        runner.train()
    monkeypatch.undo()
    last = latest_checkpoint(runner.work_dir)
    again = toy('train_cfg.max_iters=18', *summed, resume=True, load_from=last, experiment_name='again')
    again.train()
    one, other = (load(Path(r.work_dir) / 'iter_18.pth') for r in (again, straight))
    assert_same_training(one, other)


def test_checkpoints_fall_behind_updates(toy):
    runner = toy('train_cfg.max_iters=20', 'optim_wrapper.accumulative_counts=4', 'default_hooks.checkpoint.interval=6')
    runner.train()
    saved = sorted(int(path.stem.removeprefix('iter_')) for path in Path(runner.work_dir).glob('iter_*.pth'))
    assert saved == [16, 20] and 'A checkpoint every 4 iterations, not every 6' in text(runner.work_dir)
