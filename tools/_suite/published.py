"""Figures that others published for the tasks of tools/benchmark.py, each with its source and what it was measured by.

Only what could be read in a method's own README ("own README") or in the comparison table of another one ("table in the
README of ..."). They come from full-size encoders trained on ShapeNet-55 by the protocol that stands beside them, often
with the test part deciding (docs/tasks), so they say what a task can reach and are not comparable with rows made here.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ['PUBLISHED', 'Figure']


class Figure(NamedTuple):
    """One published figure.

    Attributes:
        method (str): as its authors call it.
        value (str): as printed, percent unless ``protocol`` says otherwise.
        source (str): where it was read.
        protocol (str): what is known of how it was made.
    """

    method: str
    value: str
    source: str
    protocol: str


_OWN = 'own README'
_TABLE = 'table in the READMEs of Point-M2AE and I2P-MAE'

#: data set and measure -> figures.
PUBLISHED: dict[str, tuple[Figure, ...]] = {
    'ModelNet40, linear SVM': (
        Figure('Point-BERT', '87.4', _TABLE, '1,024 points, LinearSVC, C = 1'),
        Figure('Point-MAE', '91.0', _TABLE, "not run by Point-MAE's authors"),
        Figure('Point-M2AE', '92.87', _OWN, '1,024 points, C = 0.012 chosen by the test part'),
        Figure('I2P-MAE', '93.35', _OWN, '1,024 points, C = 0.0093 chosen by the test part'),
        Figure('ReCon', '93.4', _OWN, '1,024 points, LinearSVC, C = 0.075 chosen by the test part'),
    ),
    'ModelNet40, few-shot 5-way 10-shot': (
        Figure('Point-MAE', '96.3 ± 2.5', _OWN, 'fine-tuned, best epoch, 10 folds'),
        Figure('Point-M2AE', '96.8', _OWN, 'fine-tuned, best epoch, 10 folds'),
        Figure('ACT', '96.8 ± 2.3', _OWN, 'fine-tuned, best epoch, 10 folds'),
        Figure('ReCon', '97.3 ± 1.9', _OWN, 'fine-tuned, best epoch, 10 folds'),
        Figure('PCP-MAE', '97.4 ± 2.3', _OWN, 'fine-tuned, best epoch, 10 folds'),
    ),
}
