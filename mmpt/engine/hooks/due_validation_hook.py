"""A resumed run makes up for the validation that its checkpoint had still before it."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpt.registry import HOOKS

__all__ = ['DueValidationHook']


@HOOKS.register_module()
class DueValidationHook(Hook):
    """Validates at the start of a run that goes on from an iteration whose validation was still to come.

    A checkpoint of iteration ``i`` is written before the validation after ``i``, and mmengine goes on with training:
    a run that was stopped between the two would lack one validation, and with it perhaps its best checkpoint.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Validate where that is due; every ``before_train`` is over, so that hooks are ready for it."""
        loop, step = runner.train_loop, runner.iter
        if not runner._resume or runner.val_loop is None or step < max(loop.val_begin, 1):
            return
        if step % loop.val_interval == 0 or step == runner.max_iters:
            runner.val_loop.run()
