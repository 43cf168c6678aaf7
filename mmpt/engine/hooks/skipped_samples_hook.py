"""What `on_bad_sample='skip'` left out is said, once an epoch."""

from __future__ import annotations

from collections import Counter
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
    that they come through the workers with the batch. The head line counts the samples whose place another one took,
    each once however often it was drawn; below it stands every try, since a substitute may be unreadable as well. Runs
    that are counted in iterations have epochs as well: as many iterations as it takes to draw every sample once.
    """

    # After what may still stop the step.
    priority = 'LOW'

    def __init__(self) -> None:
        self._seen = _Skipped()
        self._of_training = self._seen

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Note the batch; list at the end of an epoch and of the run."""
        self._seen.note(data_batch)
        length = len(runner.train_dataloader)
        if (runner.iter + 1) % length == 0 or self.is_last_train_iter(runner):
            self._list(runner, f'Epoch {runner.iter // length + 1}')

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Note the batch; its training part is listed separately."""
        if batch_idx == 0:
            self._of_training, self._seen = self._seen, _Skipped()
        self._seen.note(data_batch)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """List those of the val loop, which the scores leave out."""
        self._list(runner, 'Validation')
        self._seen = self._of_training

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Note the batch."""
        self._seen.note(data_batch)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """List those of the test loop, which the scores leave out."""
        self._list(runner, 'Test')

    def _list(self, runner: Runner, when: str) -> None:
        places: set[int] = set()
        tries: Counter[str] = Counter()
        for seen in all_gather_object(self._seen):
            places |= seen.places
            tries += seen.tries
        self._seen = _Skipped()
        if not places:
            return
        lines = [f'  {tried} x {reason}' for reason, tried in sorted(tries.items())[:_LISTED_AT_MOST]]
        more = len(tries) - len(lines)
        count = '1 sample' if len(places) == 1 else f'{len(places)} samples'
        runner.logger.warning(
            f'{when}: {count} could not be read, so another was taken in the place of each; all tries:\n'
            + '\n'.join(lines + ([f'  and {more} more reasons'] if more > 0 else []))
        )


class _Skipped:
    """What a process has seen: indices of the samples that were replaced, and how often each reason was met."""

    def __init__(self) -> None:
        self.places: set[int] = set()
        self.tries: Counter[str] = Counter()

    def note(self, data_batch: Any) -> None:
        """Add what the data samples of a batch say."""
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        for sample in samples or ():
            reasons = sample.get('skipped', ()) if hasattr(sample, 'get') else ()
            if reasons:
                self.places.add(sample.index)
                self.tries.update(reasons)
