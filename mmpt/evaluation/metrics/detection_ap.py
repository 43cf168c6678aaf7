"""Average precision of boxes in scenes."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmpt.registry import METRICS

from ..protocols import average_precision, box_iou
from .base import SampleMetric, to_array

__all__ = ['DetectionAP']

_FIELDS = ('boxes', 'box_labels', 'predicted_boxes', 'box_scores')
_THRESHOLDS = (0.25, 0.5)


@METRICS.register_module()
class DetectionAP(SampleMetric):
    """Scores detection by average precision at an IoU of 0.25 and of 0.5, over all scenes together (METHODS 5.7).

    Every predicted sample carries ``sample_id`` and the fields ``boxes`` (M, 7), ``box_labels`` (M,) int64,
    ``predicted_boxes`` (Q, 7) and ``box_scores`` (Q, K). Every predicted box is a candidate for every class with its
    score there; none is suppressed. True boxes of label -1 do not count. What is kept of a scene is what its boxes
    share, so the scores are exact, whatever the ranks.

    Scores in [0, 1]: ``detection/ap25`` and ``ap50``, means over classes, ``ap25/<class>`` and ``ap50/<class>``, and
    ``ar25`` and ``ar50``, the mean recall of all candidates. A class without a true box is left out; the log names it.

    Args:
        num_classes (int): K.
        prefix (str): before each score's name.
    """

    def __init__(self, num_classes: int, prefix: str = 'detection') -> None:
        super().__init__(prefix=prefix)
        self.num_classes = num_classes

    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """``iou`` (Q, M), ``labels`` (M,) and ``scores`` (Q, K) of one sample, or ``problem`` (str)."""
        lacking = [name for name in _FIELDS if sample.get(name) is None]
        if lacking:
            return {'problem': f'needs the field `{lacking[0]}`, but it has none.'}
        boxes, labels, predicted, scores = (to_array(sample[name]) for name in _FIELDS)
        if scores.shape != (len(predicted), self.num_classes):
            return {
                'problem': f'expected scores ({len(predicted)}, {self.num_classes}), got {scores.shape}; make '
                'num_classes of DetectionAP and of the model agree.'
            }
        if labels.max(initial=-1) >= self.num_classes:
            return {
                'problem': f'expected box labels 0 to {self.num_classes - 1}, or -1 for unknown, got {labels.max()}; '
                'make num_classes of DetectionAP agree with the data.'
            }
        if not np.isfinite(scores).all() or not np.isfinite(predicted).all():
            return {'problem': 'expected finite boxes and scores, got NaN or infinity; the training has diverged.'}
        known = labels >= 0
        return {'iou': box_iou(predicted, boxes[known]), 'labels': labels[known], 'scores': scores}

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Means, and the average precision of every class there is.

        Raises:
            ValueError: no scene has a box.
        """
        for (_, sample), row in rows.items():
            if 'problem' in row:
                raise ValueError(f'DetectionAP, sample {sample}: {row["problem"]}')
        meta = self.dataset_meta or {}
        names = meta.get('box_classes') or meta.get('classes') or [f'class_{n}' for n in range(self.num_classes)]
        labels = np.concatenate([row['labels'] for row in rows.values()])
        present = [number for number in range(self.num_classes) if (labels == number).any()]
        if not present:
            raise ValueError(
                f'DetectionAP: none of {len(rows)} samples has a box of a known class; check the val data.'
            )
        missing = [str(name) for number, name in enumerate(names) if number not in present]
        print_log(
            f'{self.prefix}: {len(labels)} boxes in {len(rows)} samples'
            + (f'; without one, so left out: {", ".join(missing)}.' if missing else '.'),
            logger='current',
        )
        means, classes = {}, {}
        for threshold in _THRESHOLDS:
            found = {number: self._of_class(rows, number, threshold) for number in present}
            percent = round(100 * threshold)
            means[f'ap{percent}'] = float(np.mean([precision for precision, _ in found.values()]))
            means[f'ar{percent}'] = float(np.mean([recall for _, recall in found.values()]))
            classes.update({f'ap{percent}/{names[number]}': precision for number, (precision, _) in found.items()})
        return {**means, **classes}

    @staticmethod
    def _of_class(rows: dict[tuple[str, str], dict[str, Any]], number: int, threshold: float) -> tuple[float, float]:
        ious = [row['iou'][:, row['labels'] == number] for row in rows.values()]
        return average_precision(ious, [row['scores'][:, number] for row in rows.values()], threshold)
