"""How well the points of scenes are told apart into classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ['SemanticScores', 'confusion_matrix', 'semantic_scores']


class SemanticScores(NamedTuple):
    """Scores in [0, 1] over all points of all scenes together.

    Attributes:
        miou (float): mean of ``iou`` over the classes that are there, in truth or prediction.
        accuracy (float): share of the points whose class is found.
        class_accuracy (float): mean over the classes in the truth of the share of their points that are found.
        iou (ndarray): (K,) float64, intersection over union of each class; NaN for one in neither truth nor prediction.
    """

    miou: float
    accuracy: float
    class_accuracy: float
    iou: NDArray[np.float64]


def confusion_matrix(truth: Any, predicted: Any, classes: int) -> NDArray[np.int64]:
    """Count points by true and predicted class.

    Args:
        truth (array): (N,) integers, 0 to ``classes`` - 1, or -1 for a point that does not count.
        predicted (array): (N,) integers, 0 to ``classes`` - 1.
        classes (int): K.

    Returns:
        ndarray: (K, K) int64; row: true class, column: predicted class.

    Raises:
        ValueError: arrays that do not agree, or a number that is no class.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise ValueError(
            f'expected a true and a predicted class for each of N points, got arrays of shape {truth.shape} and '
            f'{predicted.shape}.'
        )
    for what, numbers, least in (('true', truth, -1), ('predicted', predicted, 0)):
        outside = (numbers < least) | (numbers >= classes)
        if outside.any():
            raise ValueError(
                f'expected classes from {least} to {classes - 1}, got a {what} class {numbers[outside][0]}.'
            )
    labelled = truth >= 0
    pairs = truth[labelled] * classes + predicted[labelled]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def semantic_scores(confusion: Any) -> SemanticScores:
    """Score a confusion matrix (K, K): row true, column predicted.

    Raises:
        ValueError: no point counts.
    """
    confusion = np.asarray(confusion, np.int64)
    if not confusion.any():
        raise ValueError('expected points with a class, got none; all labels are -1.')
    right, true, found = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    either = true + found - right
    iou = np.where(either > 0, right / np.maximum(either, 1), np.nan)
    there = true > 0
    return SemanticScores(
        miou=float(np.nanmean(iou)),
        accuracy=float(right.sum() / confusion.sum()),
        class_accuracy=float((right[there] / true[there]).mean()),
        iou=iou,
    )
