"""Mean intersection over union of the parts of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmpt.registry import METRICS

from ..protocols import part_iou, shape_iou
from .base import SampleMetric, to_array

__all__ = ['PartIoU']


@METRICS.register_module()
class PartIoU(SampleMetric):
    """Scores part segmentation as is the custom on ShapeNetPart (METHODS 5.5).

    Every predicted sample carries ``sample_id`` and the fields ``label`` (int), ``parts`` and ``predicted_parts`` ((N,)
    int64, counted from 0 within the class).

    Scores in [0, 1]: ``part/instance_miou`` (mean over shapes), ``part/class_miou`` (mean over classes of the mean over
    their shapes) and ``part/<class>`` for every class that has shapes. The protocol is logged beside them.

    Args:
        parts (Sequence[int]): how many parts each class has.
        prefix (str): before each score's name.
    """

    def __init__(self, parts: Sequence[int], prefix: str = 'part') -> None:
        super().__init__(prefix=prefix)
        self.parts = tuple(parts)

    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Label, true and predicted parts (N,) of one sample; None where one is lacking."""
        values = {name: sample.get(name) for name in ('label', 'parts', 'predicted_parts')}
        row = {name: None if value is None else to_array(value).reshape(-1) for name, value in values.items()}
        return {**row, 'class_name': sample.get('class_name')}

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Instance and class mean, and the mean of every class there is."""
        labels, by_shape, names = [], [], {}
        for (_, sample), row in rows.items():
            lacking = [name for name in ('label', 'parts', 'predicted_parts') if row[name] is None]
            if lacking:
                raise ValueError(f'PartIoU needs the field `{lacking[0]}`, but sample {sample} has none.')
            label = int(row['label'][0])
            if not 0 <= label < len(self.parts):
                raise ValueError(
                    f'sample {sample} is of class {label}, but `parts` of PartIoU names those of {len(self.parts)} '
                    'classes; make them agree.'
                )
            try:
                by_shape.append(shape_iou(row['parts'], row['predicted_parts'], self.parts[label]))
            except ValueError as error:
                raise ValueError(f'PartIoU, sample {sample} of class {label}: {error}') from error
            labels.append(label)
            names[label] = row['class_name'] or f'class_{label}'
        scores = part_iou(by_shape, np.array(labels), len(self.parts))
        missing = len(self.parts) - len(names)
        print_log(
            f'{self.prefix}: {len(rows)} shapes of {len(names)} classes'
            + (f' ({missing} classes have none here and do not count)' if missing else '')
            + '; the class of a shape is known; a part that neither shape nor prediction has counts 1.',
            logger='current',
        )
        named = {'instance_miou': scores.instance, 'class_miou': scores.category}
        return {**named, **{names[label]: float(scores.by_class[label]) for label in sorted(names)}}
