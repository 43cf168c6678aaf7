"""A moving average of the encoder, which is what evaluations score."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from mmpt.engine.distributed import unwrap
from mmpt.registry import HOOKS
from mmpt.utils.checkpoint import model_state
from mmpt.utils.errors import CheckpointError, ConfigError

__all__ = ['EncoderEMAHook']


@HOOKS.register_module()
class EncoderEMAHook(Hook):
    """Keeps an exponential moving average of ``encoder.*`` and puts it in place for the val and test loops.

    Parameters and floating-point buffers are averaged, other buffers copied. The rest of the model (decoder, heads)
    is thrown away after pre-training and not averaged. A checkpoint holds the plain weights in ``state_dict`` and the
    averages in ``ema_state_dict``, under the same keys.

    Args:
        momentum (float): weight of the old average in every update.
        prefix (str): the submodule that is averaged.
        warmup (bool): use ``min(momentum, (1 + n) / (10 + n))`` in update n, so that a short run forgets its random
            start.
    """

    priority = 'NORMAL'

    def __init__(self, momentum: float = 0.999, prefix: str = 'encoder', warmup: bool = True) -> None:
        if not 0 <= momentum < 1:
            raise ConfigError(f'EncoderEMAHook needs a momentum in [0, 1), not {momentum}.')
        self.momentum = momentum
        self.prefix = prefix
        self.warmup = warmup
        self._swapped = False

    def before_run(self, runner: Runner) -> None:
        """Start from the weights as they are."""
        model = unwrap(runner.model)
        if not hasattr(model, self.prefix):
            raise ConfigError(f'EncoderEMAHook: {type(model).__name__} has no submodule {self.prefix!r}.')
        self._average = {key: value.clone() for key, value in self._live(runner).items()}

    def before_train(self, runner: Runner) -> None:
        """Start again from the weights that `init_weights` or a plain checkpoint brought."""
        if not runner._resume or runner.iter == 0:
            self._copy(self._live(runner), self._average)

    def _live(self, runner: Runner) -> dict[str, Tensor]:
        """Parameters and buffers of the encoder under their keys in the model's state dict."""
        state = unwrap(runner.model).state_dict()
        return {key: value for key, value in state.items() if key.startswith(f'{self.prefix}.')}

    @staticmethod
    def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
        for key, value in target.items():
            value.copy_(source[key])

    @torch.no_grad()
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Take the new weights in."""
        if not runner.optim_wrapper.should_update():
            return
        n = runner.iter // runner.optim_wrapper._accumulative_counts
        momentum = min(self.momentum, (1 + n) / (10 + n)) if self.warmup else self.momentum
        live = self._live(runner)
        floats = [key for key, value in live.items() if value.is_floating_point()]
        torch._foreach_lerp_([self._average[k] for k in floats], [live[k] for k in floats], 1 - momentum)
        for key in live.keys() - set(floats):
            self._average[key].copy_(live[key])

    @torch.no_grad()
    def _swap(self, runner: Runner) -> None:
        for key, value in self._live(runner).items():
            kept = value.clone()
            value.copy_(self._average[key])
            self._average[key].copy_(kept)
        self._swapped = not self._swapped

    def before_val_epoch(self, runner: Runner) -> None:
        """Put the average in place."""
        self._swap(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the weights back."""
        self._swap(runner)

    def before_test_epoch(self, runner: Runner) -> None:
        """Put the average in place."""
        self._swap(runner)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the weights back."""
        self._swap(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the averages."""
        average = {key: value.cpu() for key, value in self._average.items()}
        if self._swapped:
            # Saved from within an evaluation: the model holds the averages and we hold the weights.
            checkpoint['state_dict'], average = (
                {**checkpoint['state_dict'], **average},
                {key: checkpoint['state_dict'][key] for key in average},
            )
        checkpoint['ema_state_dict'] = average

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take the averages of a checkpoint, or its weights where it has none."""
        source = checkpoint.get('ema_state_dict')
        if source is None:
            if runner._resume:
                print_log('The checkpoint has no moving average: it starts from the plain weights.', logger='current')
            source = model_state(checkpoint, average=False)[0]
        elif runner._resume and source.keys() != self._average.keys():
            odd = min(source.keys() ^ self._average.keys())
            raise CheckpointError(f'The averages in the checkpoint are not those of {self.prefix!r}: {odd}.')
        # What does not fit is reported where the weights themselves are loaded.
        fits = [k for k, v in self._average.items() if k in source and source[k].shape == v.shape]
        self._copy(source, {key: self._average[key] for key in fits})
