"""Labelled shapes drawn by seed, few-shot folds and shares: the same for frozen features and for fine-tuning."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ['FewShotFold', 'draw_fold', 'draw_share']


class FewShotFold(NamedTuple):
    """One draw.

    Attributes:
        classes (ndarray): (n,) int64.
        support (ndarray): (n * m,) int64, rows of the training part.
        query (ndarray): (n * queries,) int64, rows of the part that queries come from.
    """

    classes: NDArray[np.int64]
    support: NDArray[np.int64]
    query: NDArray[np.int64]


def draw_fold(
    train_y: Any,
    test_y: Any,
    way: int,
    shot: int,
    fold: int,
    *,
    queries: int = 20,
    query_part: str = 'test',
    seed: int = 0,
) -> FewShotFold:
    """Draw classes, examples and queries by (seed, way, shot, fold).

    Args:
        train_y (array): (N,) integer labels of the training part.
        test_y (array): (M,) integer labels of the test part.
        way (int): n classes.
        shot (int): m examples of each.
        fold (int): number of the draw.
        queries (int): shapes of each class that are scored.
        query_part (str): ``'test'``, or ``'train'``: other shapes of the training part than the examples.
        seed (int): of the draws.

    Returns:
        FewShotFold: rows class by class.

    Raises:
        ValueError: fewer than n classes; a class with too few shapes for m examples, or for them and the queries.
    """
    train_y, test_y = np.asarray(train_y), np.asarray(test_y)
    within = query_part == 'train'
    classes = np.unique(train_y)
    if not 2 <= way <= len(classes):
        raise ValueError(f'{way}-way few-shot needs 2 to all of the {len(classes)} classes of the training part.')
    need = {'training': (train_y, shot + queries * within)}
    if not within:
        need['test'] = (test_y, queries)
    for part, (labels, count) in need.items():
        sizes = np.array([(labels == name).sum() for name in classes])
        if sizes.min() < count:
            raise ValueError(
                f'{way}-way {shot}-shot needs {count} shapes of every class in the {part} part, class '
                f'{int(classes[sizes.argmin()])} has {int(sizes.min())}: ask for fewer shots or queries.'
            )
    draws = np.random.default_rng([seed, way, shot, fold])
    chosen = draws.permutation(classes)[:way]
    support, query = [], []
    for name in chosen:
        rows = draws.permutation(np.flatnonzero(train_y == name))
        support.append(rows[:shot])
        rest = rows[shot:] if within else draws.permutation(np.flatnonzero(test_y == name))
        query.append(rest[:queries])
    return FewShotFold(chosen.astype(np.int64), np.concatenate(support), np.concatenate(query))


def draw_share(labels: Any, share: float, seed: int = 0) -> NDArray[np.int64]:
    """Draw the same share of every class; a larger share of the same seed holds all of a smaller one.

    Args:
        labels (array): (N,) integer labels.
        share (float): in (0, 1]; of a class of K shapes ``round(share * K)``, but at least one.
        seed (int): of the draw.

    Returns:
        ndarray: (n,) int64 rows, ascending.

    Raises:
        ValueError: a share that is none.
    """
    if not 0 < share <= 1:
        raise ValueError(f'A share of the labels lies above 0 and is at most 1, not {share}.')
    labels = np.asarray(labels)
    draws = np.random.default_rng([seed, 0x5A])
    rows = []
    for name in np.unique(labels):
        own = draws.permutation(np.flatnonzero(labels == name))
        rows.append(own[: max(1, round(share * len(own)))])
    return np.sort(np.concatenate(rows)).astype(np.int64)
