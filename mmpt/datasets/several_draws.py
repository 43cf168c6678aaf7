"""The same data set several times in a row, each time with other draws: what voting averages over."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from mmpt.registry import DATASETS

from .base import PointCloudDataset, split_key

__all__ = ['SeveralDraws']


@DATASETS.register_module()
class SeveralDraws(Dataset):
    """Every sample ``draws`` times, the whole data set after the whole data set.

    Draw d of a sample is what epoch d of a training would draw, so it depends on (seed, d, index, stage) alone: voting
    gives the same figures whenever it is repeated, on any number of workers and processes. A sample reports d as
    ``epoch``.

    Args:
        dataset (dict | PointCloudDataset): what is drawn from.
        draws (int): how often.

    Raises:
        ValueError: fewer than one draw.
    """

    def __init__(self, dataset: dict | PointCloudDataset, draws: int) -> None:
        if draws < 1:
            raise ValueError(f'SeveralDraws(draws={draws}): expected 1 or more.')
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.draws = draws

    @property
    def metainfo(self) -> dict[str, Any]:
        """That of the data set."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return self.draws * len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The sample of an index, counted over all draws."""
        _, index = split_key(index, len(self))
        return self.dataset[divmod(index, len(self.dataset))]
