"""How good predicted classes are, and what several votes for each sample come to."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ['ClassScores', 'class_scores', 'vote']


class ClassScores(NamedTuple):
    """Scores of predicted classes.

    Attributes:
        accuracy (float): share of the samples that are right, in [0, 1].
        mean_class_accuracy (float): mean over the classes that have samples of the share that is right within each.
        confusion (ndarray): (K, K) int64, samples by true class (rows) and predicted class (columns).
    """

    accuracy: float
    mean_class_accuracy: float
    confusion: NDArray[np.int64]


def class_scores(labels: Any, predicted: Any, num_classes: int) -> ClassScores:
    """Score predicted classes.

    Args:
        labels (array): (M,) integers, 0 to K - 1.
        predicted (array): (M,) likewise.
        num_classes (int): K.

    Returns:
        ClassScores: accuracies and confusion matrix.

    Raises:
        ValueError: no sample, numbers of labels and predictions that differ, or one that is no class.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(f'expected (M,) labels and predictions, got {labels.shape} and {predicted.shape}.')
    for name, values in (('label', labels), ('prediction', predicted)):
        if values.min() < 0 or values.max() >= num_classes:
            wrong = int(values[(values < 0) | (values >= num_classes)][0])
            raise ValueError(f'expected every {name} in 0 to {num_classes - 1}, the classes, got {wrong}.')
    pairs = labels.astype(np.int64) * num_classes + predicted
    confusion = np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
    there = confusion.sum(axis=1) > 0
    right = confusion.diagonal()
    recall = right[there] / confusion.sum(axis=1)[there]
    return ClassScores(float(right.sum() / len(labels)), float(recall.mean()), confusion)


def vote(logits: Any, votes: int) -> NDArray[np.int64]:
    """Classes by the mean of the logits of several passes; what is left over of the passes repeats the vote.

    Args:
        logits (array): (P, M, K) of P passes, M samples and K classes.
        votes (int): passes that one vote is made of; P is a multiple of it.

    Returns:
        ndarray: (P / votes, M) int64.

    Raises:
        ValueError: P is no multiple of ``votes``.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if votes < 1 or logits.shape[0] % votes:
        raise ValueError(f'expected a multiple of {votes} passes for votes of {votes} each, got {logits.shape[0]}.')
    return logits.reshape(-1, votes, *logits.shape[1:]).mean(axis=1).argmax(axis=-1)
