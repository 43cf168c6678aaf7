"""Ctrl-C and SIGTERM end a run between two iterations, with its state saved."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
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
        self._pid = os.getpid()
        self._previous: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Take over the signals, here and in the workers of the data loaders, which a terminal or Slurm signals too."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {n: _behind(n, signal.signal(n, self._note)) for n in _SIGNALS}
        loaders = [runner.train_dataloader] + ([runner.val_dataloader] if runner.val_loop is not None else [])
        for loader in loaders:
            loader.worker_init_fn = partial(_serve_on, then=loader.worker_init_fn)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._signal:
            self._signal, self._since = number, now
            # Not from a worker of the data loader, and not through buffers that the signal may have interrupted.
            if os.getpid() == self._pid and is_main_process():
                os.write(2, b'\nStopping after this iteration; once more stops at once.\n')
        elif now - self._since > _ONE_PRESS:
            self.release()
            signal.raise_signal(number)

    def release(self) -> None:
        """Give the signals back; what starts a run calls this when the run ends by an error."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def after_train(self, runner: Runner) -> None:
        """Give the signals back."""
        self.release()

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
        # The part of an accumulated gradient is in no checkpoint: stop behind the update that it is for.
        if not number or self.is_last_train_iter(runner) or not runner.optim_wrapper.should_update():
            return
        self.release()
        saved = [hook.save_now(runner) for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)]
        again = f'python tools/train.py {runner.cfg.filename} --work-dir {runner.work_dir} --resume'
        error = TrainingInterrupted(
            f'Stopped after iteration {runner.iter + 1} of {runner.max_iters}; '
            + (f'saved as {saved[0]}; go on with `{again}`.' if saved else 'no checkpoint hook, so nothing was saved.')
        )
        error.exit_code = 128 + number
        raise error


def _serve_on(worker: int, then: Callable[[int], None] | None) -> None:
    """Let a worker live until its own process ends it: the last iteration still needs what it delivers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if then is not None:
        then(worker)


def _end_with_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def _behind(number: int, handler: Any) -> Any:
    """The handler that an earlier run, which ended by an error, had found."""
    owner = getattr(handler, '__self__', None)
    return owner._previous.get(number, signal.SIG_DFL) if isinstance(owner, InterruptHook) else handler
