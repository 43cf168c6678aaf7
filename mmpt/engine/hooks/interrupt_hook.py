"""Ctrl-C and SIGTERM end a run between two iterations, with its state saved."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpt.engine.distributed import all_ranks_max
from mmpt.registry import HOOKS
from mmpt.utils.errors import TrainingInterrupted

from .atomic_checkpoint_hook import AtomicCheckpointHook

__all__ = ['InterruptHook']

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds in which a second signal is an echo of the first: torchrun passes on what the terminal has sent already.
_ONE_PRESS = 1.0


@HOOKS.register_module()
class InterruptHook(Hook):
    """Saves and stops at the end of the iteration in which a signal came; a second signal stops at once.

    The handler only notes the signal. Raising ``KeyboardInterrupt`` wherever the program happens to be could leave a
    step half done: a backward pass without its update, or a checkpoint half written.

    Args:
        interval (int, optional): iterations between two agreements of the processes of a run on stopping. 1 on the
            CPU; 10 on a GPU, where each makes the CPU wait.
    """

    # After the checkpoint hook, whose regular save it would only repeat.
    priority = 'LOWEST'

    def __init__(self, interval: int | None = None) -> None:
        self.interval = interval or (1 if get_device() == 'cpu' else 10)
        self._signal = 0
        self._since = 0.0
        self._previous: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Take over the signals; workers of the data loader inherit that, and live on until they are told to end."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._signal:
            self._signal, self._since = number, now
        elif now - self._since > _ONE_PRESS:
            self._release()
            signal.raise_signal(number)

    def _release(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def after_train(self, runner: Runner) -> None:
        """Give the signals back."""
        self._release()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Save and stop, where any process was asked to."""
        if runner.world_size == 1:
            number = self._signal
        elif self.every_n_train_iters(runner, self.interval):
            number = int(all_ranks_max(torch.tensor(self._signal, device=get_device())))
        else:
            return
        if not number or self.is_last_train_iter(runner):
            return
        self._release()
        saved = [hook.save_now(runner) for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)]
        again = f'python tools/train.py {runner.cfg.filename} --work-dir {runner.work_dir} --resume'
        error = TrainingInterrupted(
            f'Stopped after iteration {runner.iter + 1} of {runner.max_iters}; '
            + (f'saved as {saved[0]}; go on with `{again}`.' if saved else 'no checkpoint hook, so nothing was saved.')
        )
        error.exit_code = 128 + number
        raise error
