"""Several data sets behind each other, for one loop over all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from torch.utils.data import Dataset

from mmpt.registry import DATASETS

from .base import PointCloudDataset, split_key

__all__ = ['ConcatDataset']


@DATASETS.register_module()
class ConcatDataset(Dataset):
    """Data sets in a row, as the train and the test part of a labelled set for evaluation in one val loop.

    A sample reports the ``split`` of its own part, and as ``index`` its number in the whole row; its draws stay those
    of its own part. ``metainfo`` is the first part's, with ``split`` a tuple of all.

    Args:
        datasets (Sequence[dict | PointCloudDataset]): the parts.

    Raises:
        ValueError: there is no part, or the parts name different classes: their labels would not mean the same.
    """

    def __init__(self, datasets: Sequence[dict | PointCloudDataset]) -> None:
        self.datasets = [DATASETS.build(part) if isinstance(part, dict) else part for part in datasets]
        if not self.datasets:
            raise ValueError('ConcatDataset(datasets=[]): expected at least one data set.')
        first = self.datasets[0].metainfo
        for part in self.datasets[1:]:
            if part.metainfo['classes'] != first['classes']:
                raise ValueError(
                    f'ConcatDataset: expected parts with the same classes, got {first["classes"]} in {first["name"]} '
                    f'and {part.metainfo["classes"]} in {part.metainfo["name"]}; their labels would differ in meaning.'
                )
        self._ends = list(accumulate(map(len, self.datasets)))
        self._offsets = list(accumulate((part.num_shapes() for part in self.datasets), initial=0))

    @property
    def metainfo(self) -> dict[str, Any]:
        """The first part's metainfo, with the splits of all parts."""
        splits = tuple(part.metainfo.get('split') for part in self.datasets)
        return {**self.datasets[0].metainfo, 'split': splits}

    @property
    def draw_seed(self) -> int:
        """The parts' draw seed; setting it sets it in all of them."""
        return self.datasets[0].draw_seed

    @draw_seed.setter
    def draw_seed(self, value: int) -> None:
        for part in self.datasets:
            part.draw_seed = value

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        """The sample of an index (epoch 0) or of ``(epoch, index)``, counted over all parts."""
        epoch, position = split_key(key, len(self))
        part = bisect_right(self._ends, position)
        start = self._ends[part - 1] if part else 0
        return self.datasets[part].sample(position - start, epoch, self._offsets[part])
