"""Pictures while a model trains."""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor

from mmpt.evaluation.features import training_flags_restored
from mmpt.registry import HOOKS

from .completion import CompletionItem, draw_completion
from .parts import PartItem, draw_parts
from .reconstruction import ReconstructionItem, draw_reconstruction
from .rooms import BoxItem, RoomItem, draw_boxes, draw_rooms
from .style import figure_to_array, save_figure

__all__ = ['CompletionPictures', 'DetectionPictures', 'PartPictures', 'ReconstructionPictures', 'SemanticPictures']


@HOOKS.register_module()
class ReconstructionPictures(Hook):
    """Draws input, visible and reconstructed of a few shapes every ``interval`` iterations and at the end.

    The shapes are always the same ones, spread evenly over the val data set; without a val data set they are the first
    of the current batch. The pictures go to ``<work_dir>/pictures/iter_<n>.png`` and to the visualizer (TensorBoard).
    The model must have ``reconstruct(inputs)``, which returns ``input`` (B, N, 3), ``visible`` (B, V, S, 3) and
    ``reconstructed`` (B, M, S, 3), coordinates in the frame of the cloud. It runs unwrapped, in eval mode;
    training flags and all random states are as before afterwards.

    Args:
        interval (int): iterations between two pictures.
        num_samples (int): rows of a picture.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 500, num_samples: int = 4) -> None:
        if interval < 1 or num_samples < 1:
            raise ValueError(f'Pictures need an interval and samples of at least 1, not {interval} and {num_samples}.')
        self.interval = interval
        self.num_samples = num_samples
        self._batch: Any = None

    def before_train(self, runner: Any) -> None:
        """Refuse a model without ``reconstruct`` before the run has cost anything."""
        if not hasattr(_unwrap(runner.model), 'reconstruct'):
            raise TypeError(
                f'ReconstructionPictures needs a model with `reconstruct(inputs)`, which '
                f'{type(_unwrap(runner.model)).__name__} lacks: take the hook out of `custom_hooks`.'
            )

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Draw when the interval is complete, and after the last iteration."""
        if not (self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)):
            return
        with _random_states_restored():
            if self._batch is None:
                self._batch = self._val_batch(runner)
            # On every rank, because a head may gather across ranks; only the drawing is rank 0's alone.
            items = self._reconstruct(_unwrap(runner.model), data_batch if self._batch is None else self._batch)
        if is_main_process():
            step = runner.iter + 1
            figure = draw_reconstruction(items)
            save_figure(os.path.join(runner.work_dir, 'pictures', f'iter_{step:06d}.png'), figure)
            runner.visualizer.add_image('reconstruction', figure_to_array(figure), step)

    def _val_batch(self, runner: Any) -> Any:
        """The same few shapes at every call, read past the loader so that no worker and no sampler is disturbed."""
        if runner.val_loop is None:
            return None
        loader = runner.val_loop.dataloader
        index = np.linspace(0, len(loader.dataset) - 1, min(self.num_samples, len(loader.dataset))).astype(int)
        return (loader.collate_fn or pseudo_collate)([loader.dataset[int(i)] for i in index])

    def _reconstruct(self, model: Any, batch: Any) -> list[ReconstructionItem]:
        with training_flags_restored(model), torch.no_grad():
            model.eval()
            data = model.data_preprocessor(batch, False)
            inputs = {
                key: value[: self.num_samples] if isinstance(value, Tensor) else value
                for key, value in data['inputs'].items()
            }
            result = {name: _to_numpy(value) for name, value in model.reconstruct(inputs).items()}
        samples = data.get('data_samples') or []
        names = [str(sample.metainfo.get('sample_id', '')) for sample in samples[: self.num_samples]]
        names += [''] * (len(result['input']) - len(names))
        columns = (result['input'], result['visible'], result['reconstructed'], names)
        return [ReconstructionItem(*row) for row in zip(*columns)]


class _ScoredPictures(Hook, ABC):
    """Draws the first shapes or scenes of every val loop, in training and in ``tools/test.py``.

    The pictures go to ``<work_dir>/pictures/<kind>_<iteration>.png`` and to the visualizer (TensorBoard).

    Args:
        num_samples (int): rows of a picture.
    """

    priority = 'VERY_LOW'
    kind: str

    def __init__(self, num_samples: int = 4) -> None:
        if num_samples < 1:
            raise ValueError(f'{type(self).__name__} need samples of at least 1, not {num_samples}.')
        self.num_samples = num_samples
        self._items: list[Any] = []
        #: of the data set that is scored.
        self.metainfo: dict[str, Any] = {}

    @abstractmethod
    def item(self, points: Tensor, sample: Any, name: str) -> Any:
        """A row of the picture from (N, 3 + F) points and what the model answered; None for nothing to draw."""

    @abstractmethod
    def draw(self, items: list[Any]) -> Any:
        """The figure of at least one row."""

    def before_val_epoch(self, runner: Any) -> None:
        """Begin anew."""
        self._items = []
        self.metainfo = getattr(runner.val_loop.dataloader.dataset, 'metainfo', {})

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Keep a shape until there are enough."""
        for points, sample in zip(data_batch['inputs']['points'], outputs):
            if len(self._items) < self.num_samples:
                name = f'{sample.get("class_name", "")} {sample.get("sample_id", "")}'
                item = self.item(points, sample, name.strip())
                self._items += [] if item is None else [item]

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Draw."""
        if self._items and is_main_process():
            figure = self.draw(self._items)
            save_figure(os.path.join(runner.work_dir, 'pictures', f'{self.kind}_{runner.iter:06d}.png'), figure)
            runner.visualizer.add_image(self.kind, figure_to_array(figure), runner.iter)


@HOOKS.register_module()
class PartPictures(_ScoredPictures):
    """True and predicted parts of the first shapes of a val loop; ``pictures/parts_<iteration>.png``.

    Args:
        num_samples (int): rows of a picture.
    """

    kind = 'parts'

    def item(self, points: Tensor, sample: Any, name: str) -> PartItem | None:
        """Without true parts there is nothing to draw."""
        if 'parts' not in sample:
            return None
        return PartItem(
            _to_numpy(points[:, :3]), sample.parts.cpu().numpy(), sample.predicted_parts.cpu().numpy(), name
        )

    def draw(self, items: list[PartItem]) -> Any:
        """True parts, predicted parts, and where they differ."""
        return draw_parts(items)


@HOOKS.register_module()
class CompletionPictures(_ScoredPictures):
    """Partial, predicted and true clouds of the first shapes of a val loop; ``pictures/completion_<iteration>.png``.

    Args:
        num_samples (int): rows of a picture.
    """

    kind = 'completion'

    def item(self, points: Tensor, sample: Any, name: str) -> CompletionItem | None:
        """Without the whole cloud there is nothing to draw."""
        if 'complete' not in sample:
            return None
        clouds = (sample.partial, sample.predicted_complete, sample.complete)
        return CompletionItem(*map(_to_numpy, clouds), name)

    def draw(self, items: list[CompletionItem]) -> Any:
        """One row a shape."""
        return draw_completion(items)


@HOOKS.register_module()
class SemanticPictures(_ScoredPictures):
    """Colours, true and predicted classes of the first scenes of a val loop; ``pictures/semantic_<iteration>.png``.

    Args:
        num_samples (int): scenes, each of which has two rows.
    """

    kind = 'semantic'

    def __init__(self, num_samples: int = 2) -> None:
        super().__init__(num_samples)

    def item(self, points: Tensor, sample: Any, name: str) -> RoomItem | None:
        """Without true classes there is nothing to draw."""
        if 'semantic' not in sample:
            return None
        colors = sample.colors.cpu().numpy() if 'colors' in sample else None
        classes = (sample.semantic.cpu().numpy(), sample.predicted_semantic.cpu().numpy())
        return RoomItem(_to_numpy(points[:, :3]), colors, *classes, name)

    def draw(self, items: list[RoomItem]) -> Any:
        """From above and from a corner."""
        return draw_rooms(items, self.metainfo.get('classes') or ())


@HOOKS.register_module()
class DetectionPictures(_ScoredPictures):
    """True and predicted boxes of the first scenes of a val loop; ``pictures/detection_<iteration>.png``.

    Args:
        num_samples (int): rows of a picture.
    """

    kind = 'detection'

    def item(self, points: Tensor, sample: Any, name: str) -> BoxItem | None:
        """Without true boxes there is nothing to draw."""
        if 'boxes' not in sample:
            return None
        boxes = (_to_numpy(sample.boxes), sample.box_labels.cpu().numpy())
        found = (_to_numpy(sample.predicted_boxes), _to_numpy(sample.box_scores))
        return BoxItem(_to_numpy(points[:, :3]), *boxes, *found, name)

    def draw(self, items: list[BoxItem]) -> Any:
        """One row a scene."""
        return draw_boxes(items, self.metainfo.get('box_classes') or self.metainfo.get('classes') or ())


def _to_numpy(value: Tensor) -> Any:
    return value.detach().float().cpu().numpy()


def _unwrap(model: Any) -> Any:
    return model.module if is_model_wrapper(model) else model


@contextmanager
def _random_states_restored() -> Iterator[None]:
    """Python's, numpy's and torch's generators (of all devices) as they were before the block."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
