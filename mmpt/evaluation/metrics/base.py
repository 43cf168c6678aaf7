"""What our metrics share: rows by sample, gathered from all ranks, each sample once, errors on every rank."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement

__all__ = ['SampleMetric', 'to_array']


class SampleMetric(BaseMetric):
    """A metric over one row per sample.

    mmengine's own collection zips the ranks and cuts the result to the data set's length, which loses samples where
    ranks hold unequally many, and repeats others where the sampler pads. Here rows are keyed by (split, sample id).
    Whatever is wrong with the rows is found in ``score``, which runs on rank 0; its error is raised on every rank, so
    that no rank waits for another that has stopped.

    Args:
        prefix (str | None): before each score's name.
    """

    def __init__(self, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self.results: list[tuple[tuple[str, str], dict[str, Any]]] = []

    @abstractmethod
    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """What is kept of one predicted sample; must not raise for what the data lack."""

    @abstractmethod
    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Scores of the whole data set from rows by (split, sample id), in the order of these keys."""

    def key(self, sample: dict[str, Any]) -> tuple[str, str]:
        """What tells one row from another: split and sample id, empty where the sample has none."""
        return str(sample.get('split', '')), str(sample.get('sample_id', ''))

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep a row of every predicted sample, but not of one that stands in for a sample that could not be read.

        Args:
            data_batch (Any): not used.
            data_samples (Sequence[dict | PointDataSample]): what the model's ``predict`` returned.
        """
        for sample in data_samples:
            fields = sample.to_dict() if isinstance(sample, BaseDataElement) else dict(sample)
            if fields.get('skipped'):
                continue
            self.results.append((self.key(fields), self.row(fields)))

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the rows of all ranks, score them on rank 0, give the scores to all.

        Args:
            size (int): length of the data set; not used, because samples are told apart by their ids.

        Returns:
            dict[str, float]: ``prefix/name`` -> score.
        """
        own, self.results = self.results, []
        parts = all_gather_object(own)
        outcome: list[Any] = [None, None]
        if is_main_process():
            try:
                outcome[0] = self.compute_metrics([row for part in parts for row in part])
            except Exception as error:
                outcome[1] = error
        broadcast_object_list(outcome)
        scores, problem = outcome
        if problem is not None:
            raise problem
        return {f'{self.prefix}/{name}' if self.prefix else name: value for name, value in scores.items()}

    def compute_metrics(self, results: list[tuple[tuple[str, str], dict[str, Any]]]) -> dict[str, float]:
        """Drop the sampler's padding, put the rows in an order that no number of ranks changes, and score them."""
        name = type(self).__name__
        if not results:
            raise ValueError(f'{name} received no samples: check the val data loader.')
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for key, row in results:
            if not key[1]:
                raise ValueError(f'{name} tells samples apart by `sample_id`, but a predicted sample carries none.')
            rows.setdefault(key, row)
        return self.score(dict(sorted(rows.items())))


def to_array(value: Any) -> np.ndarray:
    """A tensor or array as numpy; float32 where it was any float."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
        return value.numpy()
    return np.asarray(value)
