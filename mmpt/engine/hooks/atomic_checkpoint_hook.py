"""Checkpoints of which the last good one is never lost."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmpt.engine.distributed import unwrap
from mmpt.registry import HOOKS
from mmpt.utils.checkpoint import match_state_dict, model_state, require_match
from mmpt.utils.errors import CheckpointError
from mmpt.utils.io import AtomicLocalBackend, atomic_write, remove_leftovers

__all__ = ['AtomicCheckpointHook']


class _LateRemoval(AtomicLocalBackend):
    """Notes what is to be removed, so that nothing goes before its successor is safe."""

    def __init__(self) -> None:
        self.doomed: list[str] = []

    def remove(self, filepath: str) -> None:
        """Note a file."""
        self.doomed.append(filepath)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """Writes a checkpoint under a temporary name, renames it, moves the pointer, and only then deletes the old one.

    mmengine deletes first, so that a full disk leaves nothing. A failure to write is one sentence, on every process.
    The state of the random generators is not in the file, because no draw depends on it: transforms are seeded by
    (seed, epoch, index), the model's draws and torch's generator by (seed, step, rank). Neither is the sampler's,
    whose position is the iteration.

    Args:
        interval (int): iterations between two checkpoints.
        by_epoch (bool): count epochs instead.
        **kwargs: as for mmengine's ``CheckpointHook``; only local folders are written to.
    """

    def __init__(self, interval: int = -1, by_epoch: bool = False, **kwargs: Any) -> None:
        super().__init__(interval=interval, by_epoch=by_epoch, **kwargs)
        self._saved_step: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder; forget whatever a resumed checkpoint says about files that are not ours.

        mmengine deletes the files that these notes name. They come from the checkpoint, and a stranger's must not
        choose what is deleted here.
        """
        if self.out_dir is None:
            self.out_dir = runner.work_dir
        elif self.out_dir != runner.work_dir:
            self.out_dir = os.path.join(self.out_dir, os.path.basename(os.path.normpath(runner.work_dir)))
        runner.logger.info(f'Checkpoints will be saved to {self.out_dir}.')
        self._end_with_updates(runner)
        self.file_backend = _LateRemoval()
        info = runner.message_hub.runtime_info
        if self.save_best and len(self.key_indicators) == 1:
            self.best_ckpt_path = self._if_ours(info.get('best_ckpt'))
        elif self.save_best:
            self.best_ckpt_path_dict = {k: self._if_ours(info.get(f'best_ckpt_{k}')) for k in self.key_indicators}
        self.keep_ckpt_ids = deque(i for i in info.get('keep_ckpt_ids', []) if type(i) is int)
        if is_main_process():
            os.makedirs(self.out_dir, exist_ok=True)
            remove_leftovers(self.out_dir)

    def _end_with_updates(self, runner: Runner) -> None:
        """Save behind updates alone: the parts of an accumulated gradient are in no checkpoint."""
        summed = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if not self.by_epoch and self.interval > 0 and self.interval % summed:
            asked, self.interval = self.interval, max(self.interval // summed, 1) * summed
            runner.logger.info(
                f'A checkpoint every {self.interval} iterations, not every {asked}: {summed} of them are one update.'
            )

    def _if_ours(self, path: Any) -> str | None:
        folder = os.path.abspath(self.out_dir)
        return path if isinstance(path, str) and os.path.dirname(os.path.abspath(path)) == folder else None

    def save_now(self, runner: Runner) -> str:
        """Save the state after the iteration that just ended, unless that has been done.

        Args:
            runner (Runner): inside ``after_train_iter``.

        Returns:
            str: the path.
        """
        if self._saved_step != runner.iter + 1:
            self._save_checkpoint_with_step(runner, runner.iter + 1, {'epoch': runner.epoch, 'iter': runner.iter + 1})
        return self.last_ckpt

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        name = self.filename_tmpl.format(step)
        path = os.path.join(self.out_dir, name)
        previous = self.last_ckpt
        # With those about to go: should we die before they are gone, the resumed run removes them.
        kept = [i for i in self.keep_ckpt_ids if i != step] + [step]
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        runner.message_hub.update_info('last_ckpt', path)
        with self._one_sentence(name, previous):
            runner.save_checkpoint(
                self.out_dir,
                name,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                **self.args,
            )
            if is_main_process():
                pointer = os.path.join(runner.work_dir, 'last_checkpoint')
                atomic_write(os.path.abspath(path).encode(), pointer)
        self.last_ckpt, self._saved_step = path, step
        if self.max_keep_ckpts > 0:
            for old in kept[: -self.max_keep_ckpts]:
                self.file_backend.remove(os.path.join(self.out_dir, self.filename_tmpl.format(old)))
            kept = kept[-self.max_keep_ckpts :]
        self.keep_ckpt_ids = deque(kept)
        self._remove_doomed()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save where the score is the best so far; the previous best goes after the new one is safe."""
        with self._one_sentence('The best checkpoint', self.last_ckpt):
            super()._save_best_checkpoint(runner, metrics)
        self._remove_doomed()

    def _remove_doomed(self) -> None:
        best = {getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()}
        for path in self.file_backend.doomed:
            if is_main_process() and path not in best and os.path.isfile(path):
                os.remove(path)
        self.file_backend.doomed.clear()

    @contextmanager
    def _one_sentence(self, name: str, previous: str | None) -> Iterator[None]:
        """Turn a failure to write into one sentence on all processes, of which only the first one writes."""
        said = None
        try:
            yield
        except OSError as error:
            good = f'the last good checkpoint is {previous}' if previous else 'there is no earlier checkpoint'
            said = f'{name} could not be written to {self.out_dir} ({error.strerror}); {good}.'
        box = [said]
        broadcast_object_list(box)
        if box[0] is not None:
            raise CheckpointError(box[0])

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Say in plain data what the encoder is, so that it can be built again without this config."""
        encoder_cfg = getattr(unwrap(runner.model), 'encoder_cfg', None)
        if encoder_cfg is not None:
            checkpoint['meta']['encoder_cfg'] = json.loads(json.dumps(encoder_cfg))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Refuse what mmengine would load in part and without a word."""
        model = unwrap(runner.model)
        state, _ = model_state(checkpoint, average=False)
        if runner._resume:
            require_match(model, state, runner._load_from)
            if 'optimizer' not in checkpoint:
                raise CheckpointError(
                    'This checkpoint was saved without the state of the optimiser and cannot be resumed; '
                    'to start from its weights, use `--cfg-options load_from=<path>`.'
                )
        else:
            match = match_state_dict(model, state)
            if not match.matched:
                raise CheckpointError(f'Nothing in the checkpoint fits {type(model).__name__} of this config: {match}.')
