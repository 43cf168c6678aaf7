"""Retrieval in a joint space: ranks, recall, mean average precision, and classes by a few pictures of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    'RetrievalProtocol',
    'RetrievalScores',
    'class_prototypes',
    'nearest_prototype',
    'retrieve',
]

_CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class RetrievalProtocol:
    """Everything that decides a retrieval score beside the embeddings.

    Attributes:
        ks (tuple[int, ...]): lengths of the lists that recall looks at, ascending.
        prototype_images (int): training pictures of a class whose mean embedding stands for it.
        seed (int): of the draw of these pictures.
    """

    ks: tuple[int, ...] = (1, 5, 10)
    prototype_images: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Accept lists from configs; refuse what measures nothing."""
        object.__setattr__(self, 'ks', tuple(self.ks))
        if not self.ks or min(self.ks) < 1 or list(self.ks) != sorted(set(self.ks)) or self.prototype_images < 1:
            raise ValueError(
                f'RetrievalProtocol: expected ascending ks from 1 and at least one prototype image, got ks={self.ks}, '
                f'prototype_images={self.prototype_images}.'
            )

    def describe(self) -> str:
        """One line that lets somebody else repeat the measurement."""
        return (
            'cosine similarity of joint embeddings, equal ones in the order of the gallery; recall '
            f'@{"/".join(map(str, self.ks))} of the own partner (pair) and of any of the class (class); mAP by class; '
            'shape to shape without the query itself; zero-shot by the mean embedding of '
            f'{self.prototype_images} training pictures a class, seed {self.seed}'
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return asdict(self)


class RetrievalScores(NamedTuple):
    """How well queries find what belongs to them.

    Attributes:
        pair (dict[int, float] | None): k -> share of queries whose own partner is among the first k; None where a query
            is no other than its partner.
        by_class (dict[int, float] | None): k -> share of queries with one of their class among the first k; None
            without labels.
        mean_ap (float | None): mean average precision by class; None without labels.
        order (ndarray): (Q, max(ks)) int64, rows of the gallery that come first; fewer where the gallery is smaller.
    """

    pair: dict[int, float] | None
    by_class: dict[int, float] | None
    mean_ap: float | None
    order: NDArray[np.int64]


def retrieve(
    queries: Any,
    gallery: Any | None = None,
    labels: Any | None = None,
    protocol: RetrievalProtocol | None = None,
) -> RetrievalScores:
    """Rank a gallery for every query by cosine similarity, and score the ranks.

    Row i of the gallery belongs to query i (the shape and its picture). Equal similarities are ordered by the row in
    the gallery, and rows that are equal have equal similarities, whatever computes them. A query whose class nobody
    else in the gallery has takes no part in the scores by class.

    Args:
        queries (array): (Q, D) embeddings of any length.
        gallery (array | None): (Q, D) the partners; None: the queries themselves, each without itself.
        labels (array | None): (Q,) integer classes of the pairs; None leaves the scores by class out.
        protocol (RetrievalProtocol | None): None for the default.

    Returns:
        RetrievalScores: see there.

    Raises:
        ValueError: arrays that do not fit, are empty or not finite; fewer than two rows; no two of one class.
        TypeError: labels that are no integers.
    """
    protocol = protocol or RetrievalProtocol()
    itself = gallery is None
    one = _unit_rows('queries', queries)
    other = one if itself else _unit_rows('gallery', gallery)
    if one.shape != other.shape or len(one) < 2:
        raise ValueError(
            f'Retrieval needs at least two queries and a gallery of the same shape, row by row, got {one.shape} and '
            f'{other.shape}.'
        )
    classes = None if labels is None else _check_labels(labels, len(one))
    deepest, first = max(protocol.ks), []
    pair_rank: list[NDArray[np.int64]] = []
    class_rank: list[NDArray[np.int64]] = []
    precision: list[NDArray[np.float64]] = []
    for rows, order in _orders(one, other, itself):
        first.append(order[:, :deepest])
        if not itself:
            pair_rank.append((order == rows[:, None]).argmax(axis=1))
        if classes is not None:
            right = classes[order] == classes[rows][:, None]
            right = right[right.any(axis=1)]
            class_rank.append(right.argmax(axis=1))
            precision.append(_average_precision(right))
    found = np.concatenate(class_rank) if class_rank else np.zeros(0, np.int64)
    if classes is not None and not len(found):
        raise ValueError('Retrieval by class needs two shapes of one class at least, but every shape is alone in its.')
    return RetrievalScores(
        None if itself else _recall(np.concatenate(pair_rank), protocol.ks),
        None if classes is None else _recall(found, protocol.ks),
        None if classes is None else float(np.concatenate(precision).mean()),
        np.concatenate(first),
    )


def class_prototypes(
    embeddings: Any, labels: Any, per_class: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The mean direction of a few embeddings of every class.

    Which ones is drawn by (seed, class) from the rows of the class in their order, so that a class keeps its draw
    whatever other classes there are.

    Args:
        embeddings (array): (N, D), of training pictures.
        labels (array): (N,) integer classes.
        per_class (int): how many of each class.
        seed (int): of the draw.

    Returns:
        tuple[ndarray, ndarray]: (K,) int64 the classes that occur, ascending, and (K, D) the mean of the unit rows.

    Raises:
        ValueError: a class has fewer rows than asked for.
    """
    x = _unit_rows('embeddings', embeddings)
    y = _check_labels(labels, len(x))
    classes = np.unique(y)
    means = []
    for label in classes:
        rows = np.flatnonzero(y == label)
        if len(rows) < per_class:
            raise ValueError(
                f'Class {label} has {len(rows)} training pictures, fewer than the {per_class} that a prototype is made '
                'of: ask for fewer, or give more training shapes with pictures.'
            )
        chosen = np.random.default_rng([seed, label]).permutation(rows)[:per_class]
        means.append(x[chosen].mean(axis=0))
    return classes, np.stack(means)


def nearest_prototype(embeddings: Any, classes: Any, prototypes: Any) -> NDArray[np.int64]:
    """The class whose prototype is most similar (cosine); the first of equals.

    Args:
        embeddings (array): (M, D).
        classes (array): (K,) integer.
        prototypes (array): (K, D) of :func:`class_prototypes`.

    Returns:
        ndarray: (M,) int64 predicted classes.
    """
    from scipy.spatial.distance import cdist

    x, p = _unit_rows('embeddings', embeddings), _unit_rows('prototypes', prototypes)
    nearest: NDArray[np.int64] = cdist(x, p, 'sqeuclidean').argmin(axis=1)
    return _check_labels(classes, len(p))[nearest]


def _orders(
    queries: NDArray[np.float64], gallery: NDArray[np.float64], itself: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(q,) rows of some queries and (q, N) rows of the gallery, most similar first; N - 1 without the query itself."""
    from scipy.spatial.distance import cdist

    count = max(1, _CHUNK_BYTES // (8 * len(gallery)))
    for start in range(0, len(queries), count):
        rows = np.arange(start, min(start + count, len(queries)))
        # Of unit rows, the order of squared distances is that of cosines. scipy's loop over each pair, not a matrix
        # product: equal rows then have exactly equal distances.
        distance = cdist(queries[rows], gallery, 'sqeuclidean')
        if itself:
            distance[rows - start, rows] = np.inf
        order = distance.argsort(axis=1, kind='stable')
        yield rows, order[:, :-1] if itself else order


def _average_precision(right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of ranked lists (q, N) with at least one right entry each: the mean over right entries of the precision there."""
    hits = right.cumsum(axis=1)
    precision = hits / np.arange(1, right.shape[1] + 1)
    mean: NDArray[np.float64] = (precision * right).sum(axis=1) / right.sum(axis=1)
    return mean


def _recall(rank: NDArray[np.int64], ks: tuple[int, ...]) -> dict[int, float]:
    return {k: float((rank < k).mean()) for k in ks}


def _unit_rows(what: str, values: Any) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape or not np.isfinite(x).all():
        raise ValueError(f'Retrieval: {what} must be a non-empty (N, D) array of finite numbers, not {x.shape}.')
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit: NDArray[np.float64] = x / np.where(length > 0, length, 1)
    return unit


def _check_labels(labels: Any, count: int) -> NDArray[np.int64]:
    y = np.asarray(labels)
    if y.dtype.kind not in 'iu':
        raise TypeError(f'Retrieval: labels must be integers, not {y.dtype}.')
    if y.shape != (count,) or y.min() < 0:
        raise ValueError(
            f'Retrieval: expected {count} labels from 0, got shape {y.shape} with {int((y < 0).sum())} negative ones; '
            'leave shapes without a class out, or give no labels.'
        )
    return y.astype(np.int64)
