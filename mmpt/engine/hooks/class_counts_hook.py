"""What the training data hold, told to a model that weighs classes by it."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpt.engine.distributed import unwrap
from mmpt.registry import HOOKS

__all__ = ['ClassCountsHook', 'absent_classes']


@HOOKS.register_module()
class ClassCountsHook(Hook):
    """Counts the points of each class in the training data before the first step.

    Every scene is read once for it, by every process. The model keeps the counts in its checkpoints (its buffer
    ``class_counts``), so a run that goes on does not count again.
    """

    def before_train(self, runner: Runner) -> None:
        """Count, unless the model knows already."""
        model = unwrap(runner.model)
        if model.class_counts.any():
            return
        dataset = runner.train_dataloader.dataset
        runner.logger.info(f'{len(dataset.distinct())} scenes are read once to count the points of each class.')
        counts = dataset.class_counts()
        model.set_class_counts(counts)
        names = dataset.metainfo['classes']
        runner.logger.info('points: ' + ', '.join(f'{name} {count}' for name, count in zip(names, counts)))
        lacking = [name for name, count in zip(names, counts) if not count]
        if lacking:
            runner.logger.warning(absent_classes(lacking, names))


def absent_classes(lacking: Sequence[str], classes: Sequence[str]) -> str:
    """The sentence for classes that a training will never see."""
    named = f'{", ".join(lacking[:10])}{", ..." if len(lacking) > 10 else ""}'
    return f'{len(lacking)} of {len(classes)} classes do not occur in the training data: {named}.'
