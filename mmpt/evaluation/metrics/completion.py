"""Chamfer distances and F-score of completed clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from numpy.typing import NDArray

from mmpt.registry import METRICS

from ..protocols import cloud_scores
from .base import SampleMetric, to_array

__all__ = ['CompletionScore']

_FIELDS = ('partial', 'complete', 'predicted_complete')
_FIGURES = ('chamfer_l1', 'chamfer_l2', 'f_score')
# Papers give Chamfer distances in thousandths.
_SCALE = np.array([1000.0, 1000.0, 1.0])
# What ShapeNet-55 calls the shares that are cut away.
_DIFFICULTY = {0.25: 'easy', 0.5: 'median', 0.75: 'hard'}


@METRICS.register_module()
class CompletionScore(SampleMetric):
    """Scores completion as is the custom on PCN and ShapeNet-55 (METHODS 5.8).

    Every predicted sample carries ``sample_id`` and the fields ``partial`` (N, 3), ``complete`` (M, 3) and
    ``predicted_complete`` (K, 3); ``removed`` and ``viewpoint`` tell the cuts of one shape apart.

    Scores are ``chamfer_l1`` and ``chamfer_l2``, both **times 1,000** as in papers, in the data's unit, and ``f_score``
    in [0, 1]: as means over samples (``completion/chamfer_l1``), as means over classes of the mean over their samples
    (``completion/class_mean/...``, what PoinTr reports), for every class (``completion/<class>/...``), and, where the
    data say so, for easy, median and hard cuts and for each viewpoint (``completion/hard/...``,
    ``completion/viewpoint_3/...``). ``completion/copy/...`` is what the input itself scores, in place of a completion.

    Args:
        threshold (float): of the F-score, in the data's unit.
        prefix (str): before each score's name.
    """

    def __init__(self, threshold: float = 0.01, prefix: str = 'completion') -> None:
        super().__init__(prefix=prefix)
        self.threshold = threshold

    def key(self, sample: dict[str, Any]) -> tuple[str, str]:
        """Every cut of a shape is a row of its own."""
        split, name = super().key(sample)
        cut = [f' {what} {sample[what]}' for what in ('removed', 'viewpoint') if what in sample]
        return split, name and name + ''.join(cut)

    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """The figures (3,) of one sample and of its input, and what it is; or why there are none."""
        removed, viewpoint, label = (sample.get(name) for name in ('removed', 'viewpoint', 'label'))
        row = {
            'class': None if label is None else sample.get('class_name') or f'class_{int(label)}',
            'cuts': [
                *([] if removed is None else [_DIFFICULTY.get(removed, f'removed_{removed:g}')]),
                *([] if viewpoint is None else [f'viewpoint_{viewpoint}']),
            ],
        }
        lacking = [name for name in _FIELDS if sample.get(name) is None]
        if lacking:
            return {**row, 'problem': f'CompletionScore needs the field `{lacking[0]}`, which it does not have'}
        partial, complete, predicted = (to_array(sample[name]) for name in _FIELDS)
        try:
            return {**row, 'copy': self._figures(partial, complete), 'own': self._figures(predicted, complete)}
        except ValueError as error:
            return {**row, 'problem': str(error)}

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Means over all samples, over classes, and over what the samples have in common."""
        for (_, sample), row in rows.items():
            if 'problem' in row:
                raise ValueError(f'CompletionScore, sample {sample}: {row["problem"]}')
        groups: dict[str, list[Any]] = {}
        for row in rows.values():
            for cut in row['cuts']:
                groups.setdefault(cut, []).append(row['own'])
        classes: dict[str, list[Any]] = {}
        for row in rows.values():
            if row['class'] is not None:
                classes.setdefault(row['class'], []).append(row['own'])
        means = {'': np.mean([row['own'] for row in rows.values()], axis=0)}
        means['copy/'] = np.mean([row['copy'] for row in rows.values()], axis=0)
        if classes:
            means['class_mean/'] = np.mean([np.mean(own, axis=0) for own in classes.values()], axis=0)
        for name, own in (*sorted(groups.items()), *sorted(classes.items())):
            means[f'{name}/'] = np.mean(own, axis=0)
        print_log(
            f'{self.prefix}: {len(rows)} samples of {len(classes) or "unnamed"} classes; Chamfer distances times 1,000 '
            f'in the unit of the data, F-score at {self.threshold:g} of it; `copy` is the input itself.',
            logger='current',
        )
        return {
            name + figure: float(value)
            for name, values in means.items()
            for figure, value in zip(_FIGURES, values * _SCALE)
        }

    def _figures(self, cloud: NDArray[Any], complete: NDArray[Any]) -> NDArray[np.float64]:
        return np.array(cloud_scores(cloud, complete, self.threshold, workers=torch.get_num_threads()))
