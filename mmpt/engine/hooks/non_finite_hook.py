"""A NaN or an inf stops the run, and says where it came from."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmpt.engine.optimizers import GuardedOptimWrapper
from mmpt.registry import HOOKS
from mmpt.utils.errors import ConfigError, NonFiniteLossError

__all__ = ['NonFiniteHook']

_NAMED_AT_MOST = 8


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stops all processes when a loss or a gradient is not finite, naming the tasks and the samples.

    ``GuardedOptimWrapper`` undoes such a step on the device. This hook keeps the last few batches and looks at their
    verdicts together, so that the CPU need not wait for the GPU in every step; the batch is saved in the work dir.

    Args:
        interval (int, optional): iterations between two looks. 1 on the CPU, where looking is free; 10 on a GPU.
    """

    # First of all: no log, average or schedule takes a bad step in.
    priority = 'HIGHEST'

    def __init__(self, interval: int | None = None) -> None:
        self.interval = interval or (1 if get_device() == 'cpu' else 10)
        self._recent: deque[tuple[int, Tensor, dict[str, Any], Any]] = deque()

    def before_train(self, runner: Runner) -> None:
        """Check that the optimiser keeps bad steps out."""
        if not isinstance(runner.optim_wrapper, GuardedOptimWrapper):
            raise ConfigError("NonFiniteHook needs optim_wrapper.type = 'GuardedOptimWrapper', which undoes bad steps.")
        self._recent.clear()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Keep the step; look at the kept ones every ``interval`` iterations."""
        # Detached, or a log variable that is no part of the loss would keep its graph.
        values = {k: v.detach() if isinstance(v, Tensor) else v for k, v in (outputs or {}).items()}
        self._recent.append((runner.iter, runner.optim_wrapper.bad, values, data_batch))
        if not (self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)):
            return
        verdicts = torch.stack([bad for _, bad, _, _ in self._recent]).tolist()
        if any(verdicts):
            self._stop(runner, *self._recent[[bool(v) for v in verdicts].index(True)])
        self._recent.clear()

    def _stop(self, runner: Runner, step: int, bad: Tensor, outputs: dict[str, Any], batch: Any) -> None:
        values = {key: float(value) for key, value in outputs.items() if _is_scalar(value)}
        wrong = [key for key, value in values.items() if value - value != 0]
        tasks = [key.removeprefix('task/') for key in wrong if key.startswith('task/')]
        mine = bool(wrong)
        found = all_gather_object((tasks, mine, _sample_ids(batch)))
        if not any(mine for _, mine, _ in found):
            # Finite losses with a bad gradient: every batch had its part in the sum.
            found = [(tasks, True, ids) for tasks, _, ids in found]
            mine = True
        path = Path(runner.work_dir) / f'non_finite_iter_{step + 1}_rank_{runner.rank}.pth'
        if mine:
            torch.save(_plain(step, runner.seed, values, batch), path)
        names = sorted({name for tasks, mine, _ in found for name in tasks if mine})
        ids = [i for _, mine, ids in found for i in ids if mine]
        shown = ', '.join(ids[:_NAMED_AT_MOST]) + (
            f' and {len(ids) - _NAMED_AT_MOST} more' if len(ids) > _NAMED_AT_MOST else ''
        )
        what = f'The loss of {", ".join(names)}' if names else ('The loss' if wrong else 'The gradient')
        first = next(rank for rank, (_, mine, _) in enumerate(found) if mine)
        raise NonFiniteLossError(
            f'{what} was not finite in iteration {step + 1}; the update was undone and the batch saved as '
            f'{path.with_name(f"non_finite_iter_{step + 1}_rank_{first}.pth")}; samples: {shown or "not named"}.'
        )


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, Tensor) and value.numel() == 1)


def _sample_ids(batch: Any) -> list[str]:
    samples = batch.get('data_samples', ()) if isinstance(batch, dict) else ()
    return [str(sample.get('sample_id')) for sample in samples if hasattr(sample, 'get')]


def _plain(step: int, seed: int, values: dict[str, float], batch: Any) -> dict[str, Any]:
    """The batch as tensors and plain values, which the safe loader reads again."""
    inputs = batch.get('inputs') if isinstance(batch, dict) else batch
    return {'iter': step, 'seed': seed, 'log_vars': values, 'sample_ids': _sample_ids(batch), 'inputs': inputs}
