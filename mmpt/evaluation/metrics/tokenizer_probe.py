"""Use of the vocabulary and quality of reconstruction of a tokenizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import METRICS

from ..protocols import codebook_use
from .base import SampleMetric, to_array

__all__ = ['TokenizerProbe']

_FIELDS = ('token_id', 'chamfer', 'baseline_chamfer', 'best_baseline_chamfer')


@METRICS.register_module()
class TokenizerProbe(SampleMetric):
    """Scores a tokenizer on held-out shapes.

    Every predicted sample carries ``sample_id`` and the fields ``token_id`` ((G,) int64, hard ids), ``chamfer`` (float,
    of the patches decoded from these ids), ``baseline_chamfer`` (float, of one template patch in place of all, on
    average over templates) and ``best_baseline_chamfer`` (float, of the best template).

    Scores: ``tokenizer/perplexity`` (exp of the entropy of the ids of all patches of all shapes), ``tokenizer/used``
    (ids that occur), ``tokenizer/chamfer``, ``tokenizer/chamfer_baseline``, ``tokenizer/chamfer_best_baseline`` (means
    over shapes, in the data's unit).

    Args:
        prefix (str): before each score's name.
    """

    def __init__(self, prefix: str = 'tokenizer') -> None:
        super().__init__(prefix=prefix)

    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Ids (G,) and the two distances (1,) of one sample; None where one is lacking."""
        values = {name: sample.get(name) for name in _FIELDS}
        return {name: None if value is None else to_array(value).reshape(-1) for name, value in values.items()}

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Perplexity over all patches, distances averaged over shapes."""
        for (_, name), row in rows.items():
            lacking = [field for field in _FIELDS if row[field] is None]
            if lacking:
                raise ValueError(f'TokenizerProbe needs the field `{lacking[0]}`, but sample {name} has none.')
        columns = {field: np.concatenate([row[field] for row in rows.values()]) for field in _FIELDS}
        use = codebook_use(columns['token_id'])
        return {
            'perplexity': use.perplexity,
            'used': float(use.used),
            'chamfer': float(columns['chamfer'].mean()),
            'chamfer_baseline': float(columns['baseline_chamfer'].mean()),
            'chamfer_best_baseline': float(columns['best_baseline_chamfer'].mean()),
        }
