"""Figures that others published for the tasks of tools/benchmark.py, each with its source and what it was measured by.

Only what could be read in a method's own README ("own README") or in the comparison table of another one ("table in the
README of ..."). They come from encoders of full size by the protocol that stands beside them, often with the test part
deciding (docs/tasks), so they say what a task can reach and are not comparable with rows made here.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ['PUBLISHED', 'Figure']


class Figure(NamedTuple):
    """One published figure.

    Attributes:
        method (str): as its authors call it.
        value (str): as printed, in percent; distances times 1,000.
        source (str): where it was read.
        protocol (str): what is known of how it was made.
    """

    method: str
    value: str
    source: str
    protocol: str


_OWN = 'own README'
_TABLE = 'table in the READMEs of Point-M2AE and I2P-MAE'
_TUNED = '1,024 points, fine-tuned'
_VOTED = 'fine-tuned, voted'
_BEST = 'its script keeps the best of'
_SEEDS = 'best of 8 seeds'
_LABELS = 'labelled post-pre-training'
_ROTATED = 'fine-tuned with rotation'
_SCRATCH = 'x 1,000, trained from scratch'
#: how the folds of few-shot are scored.
_FOLDS = 'fine-tuned, best epoch, 10 folds'


def _scanobjectnn(place: int) -> tuple[Figure, ...]:
    """Fine-tuned on one variant: OBJ-BG, OBJ-ONLY or PB-T50-RS."""
    rows = (
        ('Point-BERT', ('87.43', '88.12', '83.07'), _OWN, _TUNED),
        ('Point-MAE', ('90.02', '88.29', '85.18'), _OWN, '2,048 points, fine-tuned with scale and shift'),
        ('Point-M2AE', ('91.22', '88.81', '86.43'), _OWN, 'fine-tuned'),
        ('ACT', ('93.29', '91.91', '88.21'), _OWN, _ROTATED),
        ('ACT', ('92.48', '91.57', '87.88'), 'table in the README of I2P-MAE', _ROTATED),
        ('I2P-MAE', ('94.15', '91.57', '90.11'), _OWN, 'fine-tuned'),
        ('PointGPT-S', ('91.6', '90.0', '86.9'), _OWN, 'fine-tuned'),
        ('PointGPT-B', ('95.8', '95.2', '91.9'), _OWN, f'fine-tuned, {_LABELS}'),
        ('PointGPT-L', ('97.2', '96.6', '93.4'), _OWN, f'fine-tuned, {_LABELS}'),
        ('PCP-MAE', ('95.52', '94.32', '90.35'), _OWN, f'{_ROTATED}, {_SEEDS}'),
    )
    return tuple(Figure(method, values[place], source, protocol) for method, values, source, protocol in rows)


def _scanobjectnn_voted(value: str) -> tuple[Figure, ...]:
    return (Figure('ReCon', value, _OWN, f'{_ROTATED}, voted, {_SEEDS}'),)


def _few_shot(place: int) -> tuple[Figure, ...]:
    """Mean and deviation of one setting: 5-way 10-shot, 5-way 20-shot, 10-way 10-shot or 10-way 20-shot."""
    rows = (
        ('Point-MAE', ('96.3 ± 2.5', '97.8 ± 1.8', '92.6 ± 4.1', '95.0 ± 3.0'), _FOLDS),
        ('Point-M2AE', ('96.8', '98.3', '92.3', '95.0'), _FOLDS),
        ('ACT', ('96.8 ± 2.3', '98.0 ± 1.4', '93.3 ± 4.0', '95.6 ± 2.8'), _FOLDS),
        ('ReCon', ('97.3 ± 1.9', '98.9 ± 1.2', '93.3 ± 3.9', '95.8 ± 3.0'), _FOLDS),
        ('PointGPT-S', ('96.8', '98.6', '92.6', '95.2'), _FOLDS),
        ('PointGPT-B', ('97.5', '98.8', '93.5', '95.8'), f'{_FOLDS}, {_LABELS}'),
        ('PointGPT-L', ('98.0', '99.0', '94.1', '96.1'), f'{_FOLDS}, {_LABELS}'),
        ('PCP-MAE', ('97.4 ± 2.3', '99.1 ± 0.8', '93.5 ± 3.7', '95.9 ± 2.7'), _FOLDS),
    )
    return tuple(Figure(method, values[place], _OWN, protocol) for method, values, protocol in rows)


#: data set and measure -> figures.
PUBLISHED: dict[str, tuple[Figure, ...]] = {
    'ModelNet40, linear SVM': (
        Figure('Point-BERT', '87.4', _TABLE, '1,024 points, LinearSVC, C = 1'),
        Figure('Point-MAE', '91.0', _TABLE, "not run by Point-MAE's authors"),
        Figure('Point-M2AE', '92.87', _OWN, '1,024 points, C = 0.012 chosen by the test part'),
        Figure('I2P-MAE', '93.35', _OWN, '1,024 points, C = 0.0093 chosen by the test part'),
        Figure('ReCon', '93.4', _OWN, '1,024 points, LinearSVC, C = 0.075 chosen by the test part'),
    ),
    'ScanObjectNN OBJ-BG, linear SVM': (
        Figure('Point-M2AE', '84.12', _OWN, 'SVC, C = 0.042'),
        Figure('I2P-MAE', '87.09', _OWN, 'SVC, C = 0.018'),
    ),
    'ModelNet40, 1,024 points, fine-tuned': (
        Figure('Point-BERT', '92.67', f'{_OWN}; {_TABLE}', _TUNED),
        Figure('Point-MAE', '93.2', f'{_OWN}; {_TABLE}', _TUNED),
        Figure('Point-M2AE', '93.43', _OWN, _TUNED),
        Figure('I2P-MAE', '93.67', _OWN, _TUNED),
        Figure('PCP-MAE', '94.1', _OWN, f'{_TUNED}, {_SEEDS}'),
    ),
    'ModelNet40, 1,024 points, fine-tuned and voted': (
        Figure('Point-BERT', '93.24', f'{_OWN}; {_TABLE}', f'1,024 points, {_VOTED}; {_BEST} 9 votes'),
        Figure('Point-MAE', '93.8', f'{_OWN}; {_TABLE}', f'1,024 points, {_VOTED}; {_BEST} 299 votes'),
        Figure('Point-M2AE', '93.96', _OWN, f'1,024 points, {_VOTED}'),
        Figure('I2P-MAE', '94.06', _OWN, f'1,024 points, {_VOTED}'),
        Figure('ACT', '93.7', _OWN, f'1,024 points, {_VOTED}'),
        Figure('ReCon', '94.5', _OWN, f'1,024 points, {_VOTED}, {_SEEDS}'),
        Figure('PointGPT-S', '94.0', _OWN, f'1,024 points, {_VOTED}'),
        Figure('PointGPT-B', '94.4', _OWN, f'1,024 points, {_VOTED}, {_LABELS}'),
        Figure('PointGPT-L', '94.7', _OWN, f'1,024 points, {_VOTED}, {_LABELS}'),
        Figure('PCP-MAE', '94.4', _OWN, f'1,024 points, {_VOTED}, {_SEEDS}'),
    ),
    'ModelNet40, 4,096 points, fine-tuned': (Figure('Point-BERT', '92.91', _OWN, '4,096 points, fine-tuned'),),
    'ModelNet40, 4,096 points, fine-tuned and voted': (
        Figure('Point-BERT', '93.48', _OWN, f'4,096 points, {_VOTED}; {_BEST} 9 votes'),
    ),
    'ModelNet40, 8,192 points, fine-tuned': (Figure('Point-BERT', '93.19', _OWN, '8,192 points, fine-tuned'),),
    'ModelNet40, 8,192 points, fine-tuned and voted': (
        Figure('Point-BERT', '93.76', _OWN, f'8,192 points, {_VOTED}; {_BEST} 9 votes'),
        Figure('Point-MAE', '94.04', f'{_OWN}; {_TABLE}', f'8,192 points, {_VOTED}; {_BEST} 299 votes'),
        Figure('ReCon', '94.7', _OWN, f'8,192 points, {_VOTED}, {_SEEDS}'),
        Figure('PointGPT-S', '94.2', _OWN, f'8,192 points, {_VOTED}'),
        Figure('PointGPT-B', '94.6', _OWN, f'8,192 points, {_VOTED}, {_LABELS}'),
        Figure('PointGPT-L', '94.9', _OWN, f'8,192 points, {_VOTED}, {_LABELS}'),
    ),
    'ScanObjectNN OBJ-BG, fine-tuned': _scanobjectnn(0),
    'ScanObjectNN OBJ-ONLY, fine-tuned': _scanobjectnn(1),
    'ScanObjectNN PB-T50-RS, fine-tuned': _scanobjectnn(2),
    'ScanObjectNN OBJ-BG, fine-tuned and voted': _scanobjectnn_voted('95.35'),
    'ScanObjectNN OBJ-ONLY, fine-tuned and voted': _scanobjectnn_voted('93.80'),
    'ScanObjectNN PB-T50-RS, fine-tuned and voted': _scanobjectnn_voted('91.26'),
    'ModelNet40, few-shot 5-way 10-shot': _few_shot(0),
    'ModelNet40, few-shot 5-way 20-shot': _few_shot(1),
    'ModelNet40, few-shot 10-way 10-shot': _few_shot(2),
    'ModelNet40, few-shot 10-way 20-shot': _few_shot(3),
    'ShapeNetPart, instance mIoU': (
        Figure('Point-MAE', '86.1', _OWN, 'fine-tuned, best epoch on the test part'),
        Figure('Point-M2AE', '86.51', _OWN, 'fine-tuned'),
        Figure('ReCon', '86.4', _OWN, 'fine-tuned, best epoch on the test part'),
        Figure('PointGPT-S', '86.2', _OWN, 'fine-tuned'),
        Figure('PointGPT-B', '86.5', _OWN, f'fine-tuned, {_LABELS}'),
        Figure('PointGPT-L', '86.6', _OWN, f'fine-tuned, {_LABELS}'),
    ),
    'ShapeNetPart, class mIoU': (
        Figure('Point-M2AE', '84.86', _OWN, 'fine-tuned'),
        Figure('PCP-MAE', '84.9', _OWN, 'fine-tuned, best epoch on the test part'),
    ),
    'S3DIS, rooms': (
        Figure('PTv3 + PPT', '75.4', "Pointcept's README", 'supervised, the standard protocol of scene models'),
    ),
    'S3DIS, blocks': (
        Figure('ACT', '61.2', _OWN, 'fine-tuned, sampled blocks of Area 5'),
        Figure('PCP-MAE', '61.3', _OWN, 'fine-tuned, sampled blocks of Area 5'),
    ),
    'PCN, Chamfer l1': (
        Figure('PoinTr', '7.26', _OWN, f'{_SCRATCH}; 8.38 before its loader was corrected'),
        Figure('AdaPoinTr', '6.53', "PoinTr's README", _SCRATCH),
    ),
    'ShapeNet-55, Chamfer l2': (
        Figure('PoinTr', '1.09', _OWN, _SCRATCH),
        Figure('AdaPoinTr', '0.81', "PoinTr's README", _SCRATCH),
    ),
    'ScanNet, AP25': (
        Figure('ACT', '63.8', _OWN, 'fine-tuned'),
        Figure('PiMAE', '62.6', _OWN, 'pre-trained on SUN RGB-D'),
        Figure('VoteNet', '62.34', "MMDetection3D's model zoo", 'supervised'),
    ),
    'ScanNet, AP50': (Figure('VoteNet', '40.82', "MMDetection3D's model zoo", 'supervised'),),
}
