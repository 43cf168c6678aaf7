"""How well points are told apart into the parts of an object."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ['PartScores', 'part_iou', 'shape_iou']


class PartScores(NamedTuple):
    """Mean intersection over union of parts, in [0, 1].

    Attributes:
        instance (float): mean over shapes.
        category (float): mean over classes of the mean over the shapes of a class; classes without shapes do not count.
        by_class (ndarray): (C,) float64, the means of the classes; NaN for one without shapes.
        by_shape (ndarray): (S,) float64.
    """

    instance: float
    category: float
    by_class: NDArray[np.float64]
    by_shape: NDArray[np.float64]


def shape_iou(truth: Any, predicted: Any, parts: int) -> float:
    """Mean over the parts of a class of intersection over union on one shape.

    A part that neither the shape nor the prediction has counts 1, as is the custom on ShapeNetPart.

    Args:
        truth (array): (N,) integers, 0 to ``parts`` - 1.
        predicted (array): (N,) integers, likewise.
        parts (int): how many parts the class has.

    Returns:
        float: in [0, 1].

    Raises:
        ValueError: arrays that do not agree, or a number that is no part of the class.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.ndim != 1 or truth.shape != predicted.shape or not len(truth):
        raise ValueError(
            f'expected a true and a predicted part for each of N points, got arrays of shape {truth.shape} and '
            f'{predicted.shape}.'
        )
    for what, numbers in (('true', truth), ('predicted', predicted)):
        outside = (numbers < 0) | (numbers >= parts)
        if outside.any():
            raise ValueError(f'expected parts from 0 to {parts - 1}, got a {what} part {numbers[outside][0]}.')
    both = np.bincount(truth[truth == predicted], minlength=parts)
    either = np.bincount(truth, minlength=parts) + np.bincount(predicted, minlength=parts) - both
    return float(np.where(either > 0, both / np.maximum(either, 1), 1.0).mean())


def part_iou(by_shape: Any, labels: Any, classes: int) -> PartScores:
    """Sum the shapes of a split up.

    Args:
        by_shape (array): (S,) :func:`shape_iou` of every shape.
        labels (array): (S,) class of every shape, 0 to ``classes`` - 1.
        classes (int): C.

    Returns:
        PartScores: instance and category mean, and what they are made of.
    """
    by_shape, labels = np.asarray(by_shape, np.float64), np.asarray(labels)
    count = np.bincount(labels, minlength=classes)
    total = np.bincount(labels, weights=by_shape, minlength=classes)
    by_class = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return PartScores(float(by_shape.mean()), float(np.nanmean(by_class)), by_class, by_shape)
