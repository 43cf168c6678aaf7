"""Randomness as a function of the step."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpt.engine.distributed import unwrap
from mmpt.registry import HOOKS
from mmpt.utils.errors import ConfigError

__all__ = ['StepDrawsHook']


@HOOKS.register_module()
class StepDrawsHook(Hook):
    """Moves all draws of a model to the step at hand, so that a resumed run draws what an uninterrupted one does.

    A model with an attribute ``draws`` (see ``models/layers/draws.py``) gets seed, step and rank; what layers draw
    from torch's own generator (dropout, drop-path) is reseeded by (seed, step, rank). Evaluations always draw as step
    0, so that two of them differ by their weights alone.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Tell the sampler the batch size, which only the data loader knows, and the data set the seed of the run."""
        if runner._randomness_cfg.get('diff_rank_seed'):
            raise ConfigError(
                'randomness.diff_rank_seed must stay off: the draws of a rank are derived from one common seed.'
            )
        loader = runner.train_dataloader
        if hasattr(loader.sampler, 'batch_size'):
            loader.sampler.batch_size = loader.batch_size
        # Its own seed says which shapes are generated; this one how they are cropped, augmented and looked at. Workers
        # start later, with the first batch.
        loader.dataset.draw_seed = runner.seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Move to the step that begins."""
        self._move(runner, runner.iter)

    def before_val(self, runner: Runner) -> None:
        """Draw as step 0."""
        self._move(runner, 0)

    def before_test(self, runner: Runner) -> None:
        """Draw as step 0."""
        self._move(runner, 0)

    @staticmethod
    def _move(runner: Runner, step: int) -> None:
        draws = getattr(unwrap(runner.model), 'draws', None)
        if draws is not None:
            draws.set(seed=runner.seed, step=step, rank=runner.rank, world_size=runner.world_size)
        digest = hashlib.blake2b(f'{runner.seed}/{step}/{runner.rank}/layers'.encode(), digest_size=8).digest()
        torch.manual_seed(int.from_bytes(digest, 'little') >> 1)
