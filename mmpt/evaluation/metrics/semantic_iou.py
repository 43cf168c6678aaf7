"""Mean intersection over union of the classes of points in scenes."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmpt.registry import METRICS

from ..protocols import confusion_matrix, semantic_scores
from .base import SampleMetric, to_array

__all__ = ['SemanticIoU']


@METRICS.register_module()
class SemanticIoU(SampleMetric):
    """Scores semantic segmentation over all points of all scenes together (METHODS 5.6).

    Every predicted sample carries ``sample_id`` and the fields ``semantic`` and ``predicted_semantic`` ((N,) int64); a
    point of class -1 does not count. What is kept of a scene is its confusion matrix, so the scores are exact, whatever
    the ranks.

    Scores in [0, 1]: ``semantic/miou``, ``semantic/accuracy``, ``semantic/class_accuracy`` and ``semantic/<class>``,
    its intersection over union. A class that neither truth nor prediction has is left out, and the log says so; one
    that is only predicted counts 0 in ``miou``.

    Args:
        num_classes (int): K.
        prefix (str): before each score's name.
    """

    def __init__(self, num_classes: int, prefix: str = 'semantic') -> None:
        super().__init__(prefix=prefix)
        self.num_classes = num_classes

    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """``confusion`` (K, K) and ``points`` (int) of one sample, or ``problem`` (str)."""
        lacking = [name for name in ('semantic', 'predicted_semantic') if sample.get(name) is None]
        if lacking:
            return {'problem': f'needs the field `{lacking[0]}`, but it has none.'}
        truth, predicted = to_array(sample['semantic']), to_array(sample['predicted_semantic'])
        try:
            return {'confusion': confusion_matrix(truth, predicted, self.num_classes), 'points': len(truth)}
        except ValueError as error:
            return {'problem': str(error)}

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Means, and the intersection over union of every class there is."""
        for (_, sample), row in rows.items():
            if 'problem' in row:
                raise ValueError(f'SemanticIoU, sample {sample}: {row["problem"]}')
        confusion = np.sum([row['confusion'] for row in rows.values()], axis=0)
        scores = semantic_scores(confusion)
        names = (self.dataset_meta or {}).get('classes') or [f'class_{number}' for number in range(self.num_classes)]
        missing = [name for name, value in zip(names, scores.iou) if np.isnan(value)]
        print_log(
            f'{self.prefix}: {sum(row["points"] for row in rows.values())} points of {len(rows)} samples, '
            f'{confusion.sum()} of them with a class'
            + (f'; neither labelled nor predicted, so left out: {", ".join(missing)}.' if missing else '.'),
            logger='current',
        )
        means = {'miou': scores.miou, 'accuracy': scores.accuracy, 'class_accuracy': scores.class_accuracy}
        return {**means, **{name: float(value) for name, value in zip(names, scores.iou) if not np.isnan(value)}}
