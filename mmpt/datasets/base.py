"""What all data sets share: keys, the sample's own random generator, the pipeline, metainfo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from .transforms import build_pipeline, check_points, run_pipeline

__all__ = ['PointCloudDataset', 'split_key']


def split_key(key: int | tuple[int, int], length: int) -> tuple[int, int]:
    """Read a key of a sampler: ``(epoch, index)``, or ``index`` alone for epoch 0.

    Raises:
        IndexError: the index is not in [0, length).
    """
    epoch, index = key if isinstance(key, (tuple, list)) else (0, key)
    if not 0 <= index < length:
        raise IndexError(f'sample {index} of a data set that has {length}')
    return int(epoch), int(index)


class PointCloudDataset(Dataset):
    """A list of shapes, each taken through the pipeline with a random generator of its own.

    A subclass implements :meth:`num_shapes` and :meth:`load_info`, and passes what it knows about itself as
    ``metainfo``. A sample depends on (seed, epoch, index, stage) alone: not on the worker, the rank or what was read
    before.

    Args:
        pipeline (Sequence[dict | Callable]): transforms; the last one is normally ``PackInputs``.
        seed (int): of the transforms' draws, from 0.
        stage (int): a second seed, for runs in several stages over the same data.
        indices (Sequence[int] | int | None): use these shapes only; a number means the first so many. A shape keeps its
            own index, hence its own draws.
        metainfo (dict | None): the subclass's part of :attr:`metainfo`.

    Raises:
        IndexError: ``indices`` ask for a shape that does not exist.
    """

    def __init__(
        self,
        pipeline: Sequence[dict | Callable] = (),
        *,
        seed: int = 0,
        stage: int = 0,
        indices: Sequence[int] | int | None = None,
        metainfo: dict[str, Any] | None = None,
    ) -> None:
        self.pipeline = build_pipeline(pipeline)
        self.seed, self.stage = seed, stage
        # Set by the engine to the seed of the run, so that runs differ in how the same shapes are cropped and turned.
        self.draw_seed = 0
        self.indices = range(indices) if isinstance(indices, int) else indices
        self._metainfo = metainfo or {}
        outside = [index for index in self.indices or () if not 0 <= index < self.num_shapes()]
        if outside:
            raise IndexError(
                f'`indices` of {type(self).__name__} ask for shape {outside[0]}, but it has {self.num_shapes()} shapes.'
            )

    def num_shapes(self) -> int:
        """How many shapes there are, whatever ``indices`` choose."""
        raise NotImplementedError

    def load_info(self, index: int) -> dict[str, Any]:
        """What is known of shape ``index`` (counted over all shapes) before the pipeline.

        Returns:
            dict: ``sample_id`` (str) and ``split`` (str); either ``points`` (N, 3) float32 with optional ``normals``
            (N, 3) and ``parts`` (N,), or ``points_path``; optionally ``label`` (int), ``images`` (K, H, W, 3) uint8 RGB
            with ``has_image`` (K,) bool, or ``image_paths`` (list of str). Arrays must not be shared with later calls.
        """
        raise NotImplementedError

    def label(self, index: int) -> int | None:
        """The class of shape ``index`` (counted over all shapes); override where that needs no :meth:`load_info`."""
        return self.load_info(index).get('label')

    @property
    def metainfo(self) -> dict[str, Any]:
        """Facts about the samples as the pipeline gives them.

        ``name``, ``variant`` (which release or version), ``up_axis`` ('y' or 'z'), ``normalize`` ('unit_sphere' or
        'none'), ``feature_keys`` (what follows x y z), ``classes`` (tuple of names, or None), ``split``, and more.
        """
        info = {'name': type(self).__name__, 'up_axis': 'y', 'normalize': 'none', 'feature_keys': (), 'classes': None}
        info.update(self._metainfo)
        for step in self.pipeline:
            info.update(getattr(step, 'metainfo', {}))
        return info

    def __len__(self) -> int:
        return self.num_shapes() if self.indices is None else len(self.indices)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        """The sample of an index (epoch 0) or of ``(epoch, index)``, after the pipeline."""
        epoch, position = split_key(key, len(self))
        return self.sample(position, epoch)

    def sample(self, position: int, epoch: int = 0, offset: int = 0) -> dict[str, Any]:
        """The sample at a position; ``offset`` is added to the index that it reports (see ``ConcatDataset``)."""
        index = position if self.indices is None else int(self.indices[position])
        results = self.load_info(index)
        results.update(
            rng=np.random.default_rng([self.seed, self.draw_seed, epoch, index, self.stage]),
            index=index + offset,
            epoch=epoch,
        )
        classes = self._metainfo.get('classes')
        if classes is not None and 'label' in results:
            results['class_name'] = classes[results['label']]
        if 'points' in results:
            check_points(results)
        return run_pipeline(self.pipeline, results)
