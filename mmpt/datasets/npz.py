"""Labelled clouds in one ``.npz`` file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .axes import z_up_to_y_up
from .base import PointCloudDataset
from .reading import read_npz

__all__ = ['NpzShapes']


@DATASETS.register_module()
class NpzShapes(PointCloudDataset):
    """Labelled clouds of one file, turned so that y is up.

    Arrays of the file: ``points_train``, ``points_test`` (n, P, 3) floats; ``labels_train``, ``labels_test`` (n,)
    integers; ``class_names``; optionally ``ids_train``, ``ids_test`` (n,) and ``dup_test`` (n,) bool, True where a test
    shape also occurs in the training part. The whole split is held in memory, in the precision of the file.

    Args:
        path (str): the file.
        split (str): 'train' or 'test'.
        up_axis (str): 'y' or 'z', the axis that is up **in the file**; z up is turned by -90 degrees about x, so that
            (x, y, z) becomes (x, z, -y).
        drop_duplicates (bool): leave out the test shapes that ``dup_test`` marks.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not an npz of plain arrays, an array is missing or has another shape than the others ask
            for, or an argument is unknown.
    """

    def __init__(
        self,
        path: str,
        split: str = 'train',
        up_axis: str = 'y',
        *,
        drop_duplicates: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in ('train', 'test') or up_axis not in ('y', 'z'):
            raise ValueError(
                f'NpzShapes(split={split!r}, up_axis={up_axis!r}): expected split train or test, up_axis y or z.'
            )
        self.path, self.split, self.up_axis = path, split, up_axis
        arrays = _read(path, split)
        self.points, self.labels = arrays['points'], arrays['labels']
        self.ids = arrays.get('ids', np.arange(len(self.points)))
        classes = tuple(str(name) for name in arrays['class_names'])
        _check(self.points, self.labels, self.ids, classes, f'{path}, split {split}')
        if drop_duplicates and 'dup' in arrays:
            keep = ~arrays['dup'].astype(bool)
            self.points, self.labels, self.ids = self.points[keep], self.labels[keep], self.ids[keep]
        metainfo = {'variant': Path(path).stem, 'up_axis': 'y', 'classes': classes, 'split': split}
        super().__init__(pipeline, metainfo=metainfo, **kwargs)

    def num_shapes(self) -> int:
        """Shapes of the split."""
        return len(self.points)

    def label(self, index: int) -> int:
        """From the array of labels."""
        return int(self.labels[index])

    def load_info(self, index: int) -> dict[str, Any]:
        """The cloud, y up, and its label."""
        points = self.points[index].astype(np.float32)
        if self.up_axis == 'z':
            points = z_up_to_y_up(points)
        return {
            'sample_id': f'{self.split}/{self.ids[index]}',
            'split': self.split,
            'points': points,
            'label': self.label(index),
        }


def _read(path: str, split: str) -> dict[str, np.ndarray]:
    needed = {'points': f'points_{split}', 'labels': f'labels_{split}', 'class_names': 'class_names'}
    optional = {'ids': f'ids_{split}', 'dup': f'dup_{split}'}
    arrays = read_npz(path, list(needed.values()), list(optional.values()))
    return {key: arrays[name] for key, name in {**needed, **optional}.items() if name in arrays}


def _check(points: np.ndarray, labels: np.ndarray, ids: np.ndarray, classes: tuple[str, ...], where: str) -> None:
    if points.ndim != 3 or points.shape[2] != 3 or points.dtype.kind != 'f':
        raise ValueError(f'{where}: expected points (n, P, 3) of floats, got {points.shape} {points.dtype}.')
    if labels.shape != (len(points),) or ids.shape[:1] != (len(points),):
        raise ValueError(
            f'{where}: expected one label and one id for each of {len(points)} clouds, got {labels.shape} labels and '
            f'{ids.shape} ids.'
        )
    if labels.dtype.kind not in 'iu' or (len(labels) and not 0 <= labels.min() <= labels.max() < len(classes)):
        raise ValueError(f'{where}: expected integer labels from 0 to {len(classes) - 1}, one name each, got others.')
