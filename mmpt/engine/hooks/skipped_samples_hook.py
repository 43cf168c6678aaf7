"""What `on_bad_sample='skip'` left out is said, once an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpt.registry import HOOKS

__all__ = ['SkippedSamplesHook']

_LISTED_AT_MOST = 50


@HOOKS.register_module()
class SkippedSamplesHook(Hook):
    """Counts the samples that could not be read, on all processes, and lists them at the end of every epoch.

    A data set with ``on_bad_sample='skip'`` writes the reasons into the data sample of the substitute (``skipped``), so
    that they come through the workers with the batch. Runs that are counted in iterations have epochs as well: as many
    iterations as it takes to draw every sample once.
    """

    # After what may still stop the step.
    priority = 'LOW'

    def __init__(self) -> None:
        self._reasons: dict[str, int] = {}
        self._of_training: dict[str, int] = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Note the batch; list at the end of an epoch and of the run."""
        self._note(data_batch)
        length = len(runner.train_dataloader)
        if (runner.iter + 1) % length == 0 or self.is_last_train_iter(runner):
            self._list(runner, f'Epoch {runner.iter // length + 1}')

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Note the batch; its training part is listed separately."""
        if batch_idx == 0:
            self._of_training, self._reasons = self._reasons, {}
        self._note(data_batch)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """List those of the val loop, which the scores leave out."""
        self._list(runner, 'Validation')
        self._reasons, self._of_training = self._of_training, {}

    def _note(self, data_batch: Any) -> None:
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        for sample in samples or ():
            for reason in sample.get('skipped', ()) if hasattr(sample, 'get') else ():
                self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def _list(self, runner: Runner, when: str) -> None:
        total: dict[str, int] = {}
        for part in all_gather_object(self._reasons):
            for reason, count in part.items():
                total[reason] = total.get(reason, 0) + count
        self._reasons = {}
        if not total:
            return
        lines = [f'  {count} x {reason}' for reason, count in sorted(total.items())[:_LISTED_AT_MOST]]
        more = len(total) - len(lines)
        runner.logger.warning(
            f'{when}: {sum(total.values())} samples could not be read and others were taken in their place:\n'
            + '\n'.join(lines + ([f'  and {more} more reasons'] if more > 0 else []))
        )
