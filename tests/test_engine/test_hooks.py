import copy
import json
import math
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer, MessageHub
from torch.utils._python_dispatch import TorchDispatchMode

from mmpt.datasets import SyntheticRooms
from mmpt.engine import EncoderEMAHook, ValueScheduleHook
from mmpt.engine.deferred import DeferredBuffer, defer_scalar
from mmpt.engine.hooks import ClassCountsHook
from mmpt.engine.hooks.value_schedule_hook import scheduled_value
from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError


class Watch(Hook):
    """Calls functions at named points of a run."""

    priority = 'LOWEST'

    def __init__(self, **points):
        for point, function in points.items():
            setattr(self, point, lambda runner, f=function, **kw: f(runner))


def test_deferred_values_are_those_of_eager_logging():
    values = [torch.tensor(v) for v in (0.1, 3.0, float('nan'), 1e-8)] + [torch.tensor(7), torch.tensor(2.0).bfloat16()]
    eager, deferred = HistoryBuffer(), DeferredBuffer()
    for value in values:
        eager.update(value.item())
        deferred.defer(value)
    assert len(deferred._pending) == 1, 'values of one type wait together'
    for copied in (deferred, copy.deepcopy(deferred), pickle.loads(pickle.dumps(deferred))):
        assert [str(a.tolist()) for a in copied.data] == [str(a.tolist()) for a in eager.data]
        assert copied.mean(2) == eager.mean(2) and copied.current() == eager.current()
    assert type(copy.deepcopy(deferred)) is HistoryBuffer
    deferred.update(4.0)
    assert deferred.current() == 4


def test_deferring_does_not_read_a_value_and_keeps_it_as_it_was():
    hub = MessageHub.get_instance('deferring')
    value = torch.tensor(1.0, requires_grad=True)
    defer_scalar(hub, 'train/loss', value)
    with torch.no_grad():
        for _ in range(3):
            value += 1
            defer_scalar(hub, 'train/loss', value)
    assert len(hub.get_scalar('train/loss')._pending) == 3
    assert hub.get_scalar('train/loss').data[0].tolist() == [1, 2, 3, 4]
    hub.load_state_dict(hub.state_dict())
    defer_scalar(hub, 'train/loss', value)
    assert hub.get_scalar('train/loss').data[0].tolist() == [1, 2, 3, 4, 4]


@pytest.mark.parametrize(
    'schedule, expected',
    [
        ({'kind': 'cosine', 'start': 1.0, 'end': 0.0625, 'begin': 10, 'iters': 100},
         {0: 1, 10: 1, 60: 0.53125, 110: 0.0625, 500: 0.0625}),
        ({'kind': 'linear', 'start': 0.0, 'end': 2.0, 'iters': 4}, {0: 0, 1: 0.5, 3: 1.5, 4: 2, 9: 2}),
        ({'kind': 'exponential', 'start': 0.8, 'end': 0.05, 'iters': 4}, {0: 0.8, 1: 0.4, 3: 0.1, 4: 0.05, 9: 0.05}),
        ({'kind': 'constant', 'start': 0.3}, {0: 0.3, 7: 0.3}),
    ],
)  # fmt: skip
def test_schedules(schedule, expected):
    for step, value in expected.items():
        assert scheduled_value(step, **schedule) == pytest.approx(value, abs=1e-12)
    assert scheduled_value(35, kind='cosine', start=0, end=1, iters=100) == pytest.approx(
        (1 - math.cos(0.35 * math.pi)) / 2
    )


def test_the_schedules_of_the_tokenizer_are_those_of_the_paper():
    """METHODS 2.1: temperature 1 to 0.0625 in 100,000 updates, the usage term 0 for 10,000, then up to 0.1."""
    (hook,) = load_config(Path(__file__).parents[2] / 'configs/mmpt/tokenizer_shapenet.py').custom_hooks[:1]
    found = {
        name: [scheduled_value(step, **values) for step in (0, 10_000, 50_000, 60_000, 100_000, 110_000, 196_649)]
        for name, values in hook.schedules.items()
    }
    temperature, usage = found['temperature'], found['usage_weight']
    assert temperature == sorted(temperature, reverse=True) and usage == sorted(usage)
    assert temperature[0] == 1 and temperature[2] == pytest.approx(0.53125) and temperature[4:] == [0.0625] * 3
    assert usage[:2] == [0, 0] and usage[3] == pytest.approx(0.05) and usage[5:] == [0.1] * 2


def test_schedule_of_what_a_model_does_not_declare():
    runner = SimpleNamespace(model=torch.nn.Linear(1, 1))
    runner.model.scheduled = {'kl_weight'}
    hook = ValueScheduleHook({'temperatur': {'kind': 'constant', 'start': 1.0}})
    with pytest.raises(ConfigError, match="cannot set 'temperatur' of Linear, which lets these be set: kl_weight"):
        hook.before_run(runner)
    with pytest.raises(ConfigError, match='sinus'):
        ValueScheduleHook({'a': {'kind': 'sinus', 'start': 1.0}})
    with pytest.raises(ConfigError, match='`end` and `iters`'):
        ValueScheduleHook({'a': {'kind': 'linear', 'start': 1.0}})
    with pytest.raises(ConfigError, match='above 0'):
        ValueScheduleHook({'a': {'kind': 'exponential', 'start': 1.0, 'end': 0.0, 'iters': 5}})


def test_run_of_everything(toy):
    """EMA against its formula, its place in evaluations, the schedules and the warm-up as they reach a run."""
    runner = toy('train_cfg.max_iters=12', 'train_cfg.val_interval=5', 'custom_hooks.0.warmup=False')
    ema = next(h for h in runner.hooks if isinstance(h, EncoderEMAHook))
    weights, average, rates, temperatures, checked = [], {}, [], [], []

    def encoder():
        return {k: v.clone() for k, v in runner.model.state_dict().items() if k.startswith('encoder.')}

    def step(_):
        live = encoder()
        for key, value in live.items():
            average[key] = value if not value.is_floating_point() else 0.9 * average[key] + 0.1 * value
        weights.append(live)
        rates.append(runner.optim_wrapper.get_lr()['lr'][0])
        temperatures.append(runner.model.temperature)

    def in_val(_):
        for key, value in encoder().items():
            torch.testing.assert_close(value, average[key], rtol=1e-5, atol=1e-6)
        checked.append(runner.iter)

    def after_val(_):
        assert all(torch.equal(v, weights[-1][k]) for k, v in encoder().items())

    watch = Watch(
        before_train=lambda _: average.update(encoder()),
        after_train_iter=step,
        after_val_iter=in_val,
        after_val=after_val,
    )
    runner.register_hook(watch)
    runner.train()
    assert checked[::3] == [5, 10, 12]
    for key, value in ema._average.items():
        torch.testing.assert_close(value, average[key], rtol=1e-5, atol=1e-6)
    assert weights[0]['encoder.1.num_batches_tracked'] == 1 and ema._average['encoder.1.num_batches_tracked'] == 12
    # LinearLR over 5 iterations; the rate after an iteration is that of the next one.
    assert rates[0] == pytest.approx(1e-2 * (0.01 + 0.99 / 4))
    assert max(rates) == rates[4] == pytest.approx(1e-2, rel=0.02)
    assert temperatures[:3] == [1.0, 1.0, 1.0] and temperatures[8] == pytest.approx(0.55)
    assert runner.message_hub.get_scalar('train/temperature').data[0].tolist() == temperatures
    assert len(runner.message_hub.get_scalar('train/task/plr').data[0]) == 12


def test_average_warms_up_and_waits_for_updates(toy):
    runner = toy('train_cfg.max_iters=4', 'custom_hooks.0.momentum=0.999', 'optim_wrapper.accumulative_counts=2')
    ema = next(h for h in runner.hooks if isinstance(h, EncoderEMAHook))
    seen = []
    runner.register_hook(
        Watch(
            after_train_iter=lambda r: seen.append(
                (ema._average['encoder.0.bias'].clone(), r.model.encoder[0].bias.detach().clone())
            )
        )
    )
    runner.train()
    start = seen[0][0]
    first = start + (1 - 1 / 10) * (seen[1][1] - start)
    torch.testing.assert_close(seen[1][0], first)
    assert torch.equal(seen[2][0], seen[1][0])
    torch.testing.assert_close(seen[3][0], first + (1 - 2 / 11) * (seen[3][1] - first))


def test_a_run_logs_what_eager_logging_does(toy):
    logs = []
    for hook in ('RuntimeInfoHook', 'DeferredInfoHook'):
        runner = toy('train_cfg.max_iters=5', f'default_hooks.runtime_info.type={hook}', name=hook)
        runner.train()
        (path,) = Path(runner.log_dir).glob('vis_data/scalars.json')
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        logs.append([{k: v for k, v in line.items() if not k.endswith('time')} for line in lines])
    assert logs[0] == logs[1] and 'task/mcl' in logs[0][0]


class Reads(TorchDispatchMode):
    """Counts the values that are fetched from a tensor, each of which makes the CPU wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.steps = [0]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            self.steps[-1] += 1
        return func(*args, **(kwargs or {}))


def test_no_step_waits_for_the_device(toy):
    """Loss, gradient norm, verdict, averages and schedules, as on a GPU between two looks."""
    runner = toy(
        'train_cfg.max_iters=8',
        'train_cfg.val_interval=100',
        'default_hooks.logger.interval=100',
        'default_hooks.checkpoint.interval=100',
        'default_hooks.non_finite.interval=100',
        'optim_wrapper.defer=True',
    )
    reads = Reads()
    runner.register_hook(Watch(before_train_iter=lambda _: reads.steps.append(0)))
    with reads:
        runner.train()
    # The first update asks, for it makes the state of the optimiser; the last step is followed by a checkpoint.
    assert reads.steps[1] > 0 and reads.steps[2:-1] == [0] * 6


def test_points_of_the_training_are_counted_once_and_classes_without_one_are_named():
    told, said, warned = [], [], []
    rooms = SyntheticRooms(size=2, num_points=500)
    counts = rooms.class_counts()
    model = SimpleNamespace(class_counts=torch.zeros(13), set_class_counts=told.append)
    runner = SimpleNamespace(
        model=model,
        train_dataloader=SimpleNamespace(dataset=rooms),
        logger=SimpleNamespace(info=said.append, warning=warned.append),
    )
    ClassCountsHook().before_train(runner)
    assert [found.tolist() for found in told] == [counts.tolist()] and said[0].startswith('2 scenes are read once')
    lacking = [name for name, count in zip(rooms.metainfo['classes'], counts) if not count]
    assert lacking and warned == [
        f'{len(lacking)} of 13 classes do not occur in the training data: {", ".join(lacking)}.'
    ]
    # A model that goes on knows already.
    model.class_counts = torch.ones(13)
    ClassCountsHook().before_train(runner)
    assert len(told) == len(warned) == 1
