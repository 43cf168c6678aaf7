"""Values of a model that change with the step."""

from __future__ import annotations

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpt.engine.distributed import unwrap
from mmpt.registry import HOOKS
from mmpt.utils.errors import ConfigError

__all__ = ['ValueScheduleHook', 'scheduled_value']

_SHAPES = {
    'constant': lambda t: 0.0,
    'linear': lambda t: t,
    'cosine': lambda t: (1 - math.cos(math.pi * t)) / 2,
    # Linear in the logarithm of the value.
    'exponential': lambda t: t,
}


def scheduled_value(
    step: int, kind: str, start: float, end: float | None = None, begin: int = 0, iters: int = 1
) -> float:
    """A value as a function of the global step.

    Args:
        step (int): 0-based.
        kind (str): ``cosine``, ``linear``, ``exponential`` (between values above 0) or ``constant``.
        start (float): value up to step ``begin``.
        end (float, optional): value from step ``begin + iters`` on; not needed by ``constant``.
        begin (int): where the way from start to end begins.
        iters (int): how long it is.

    Returns:
        float: the value.
    """
    share = _SHAPES[kind](min(max((step - begin) / iters, 0.0), 1.0))
    if kind == 'exponential' and 0 < share < 1:
        return start ** (1 - share) * end**share
    # Written so that both ends come out exactly.
    return start if share == 0 else start * (1 - share) + end * share


@HOOKS.register_module()
class ValueScheduleHook(Hook):
    """Sets attributes of the model before every training step, and logs them.

    A value is a function of the step and of nothing else, so that a resumed run has the right one at once.

    Args:
        schedules (dict[str, dict]): attribute -> arguments of ``scheduled_value`` but the step. The model names the
            attributes it lets be set in ``model.scheduled``.
    """

    priority = 'VERY_HIGH'

    def __init__(self, schedules: dict[str, dict[str, Any]]) -> None:
        for name, schedule in schedules.items():
            if schedule.get('kind') not in _SHAPES:
                raise ConfigError(
                    f'The schedule of {name!r} has kind={schedule.get("kind")!r}; known: {", ".join(_SHAPES)}.'
                )
            if schedule['kind'] != 'constant' and (schedule.get('end') is None or schedule.get('iters', 0) < 1):
                raise ConfigError(f'The {schedule["kind"]} schedule of {name!r} needs `end` and `iters` of at least 1.')
            if schedule['kind'] == 'exponential' and min(schedule['start'], schedule['end']) <= 0:
                raise ConfigError(f'The exponential schedule of {name!r} needs `start` and `end` above 0.')
        self.schedules = schedules

    def before_run(self, runner: Runner) -> None:
        """Check that the model has what is to be set."""
        model = unwrap(runner.model)
        scheduled = sorted(getattr(model, 'scheduled', ()))
        for name in self.schedules:
            if name not in scheduled:
                raise ConfigError(
                    f'ValueScheduleHook cannot set {name!r} of {type(model).__name__}, which lets these be set: '
                    f'{", ".join(scheduled) or "none"}.'
                )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the values of this step."""
        model = unwrap(runner.model)
        for name, schedule in self.schedules.items():
            value = scheduled_value(runner.iter, **schedule)
            setattr(model, name, value)
            runner.message_hub.update_scalar(f'train/{name}', value)
