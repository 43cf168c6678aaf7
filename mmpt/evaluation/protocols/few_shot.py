"""Few-shot classification on frozen features: n classes, m examples of each, over drawn or given folds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from mmpt.utils.folds import FewShotFold, draw_fold

from .features import check_parts
from .knn import knn_predict
from .summary import Spread, spread
from .svm import linear_svm

__all__ = ['FEW_SHOT_PRESETS', 'FewShotFold', 'FewShotProtocol', 'draw_folds', 'few_shot', 'score_folds']


@dataclass(frozen=True)
class FewShotProtocol:
    """Everything that decides a few-shot score beside the encoder, the data and the setting (n-way m-shot).

    Attributes:
        name (str): short name of the protocol.
        pooling (tuple[str, ...]): see ``compose_features``.
        queries (int): shapes of each class that are scored.
        query_part (str): ``'test'``: examples come from the training part, queries from the test part (Point-BERT);
            ``'train'``: both come from the training part and share no shape (CrossPoint).
        folds (int): draws of classes, examples and queries.
        C (float): of the linear SVM.
        standardize (bool): columns scaled by mean and deviation of the examples.
        knn_k (int | None): neighbours with one vote each; None: no kNN.
        seed (int | None): of the draws; None where the folds are given, as published ones are.
        classifier (str): ``LinearSVC`` (squared hinge, one against the rest) or ``SVC`` (hinge, one against one).
        num_points (int | None): points per shape that the encoder sees; None: as many as the data hold.
    """

    name: str = 'test_queries'
    pooling: tuple[str, ...] = ('max', 'mean')
    queries: int = 20
    query_part: str = 'test'
    folds: int = 10
    C: float = 1.0
    standardize: bool = True
    knn_k: int | None = 1
    seed: int | None = 0
    classifier: str = 'LinearSVC'
    num_points: int | None = None

    def __post_init__(self) -> None:
        """Accept lists from configs; refuse what measures nothing."""
        object.__setattr__(self, 'pooling', tuple(self.pooling))
        if self.query_part not in ('train', 'test') or self.queries < 1 or self.folds < 1:
            raise ValueError(
                f"FewShotProtocol: expected query_part 'train' or 'test' and at least one query and one fold, got "
                f'query_part={self.query_part!r}, queries={self.queries}, folds={self.folds}.'
            )

    def describe(self) -> str:
        """One line that lets somebody else repeat the measurement."""
        scale = 'standardised on the examples' if self.standardize else 'not standardised'
        points = 'all points of the data' if self.num_points is None else f'{self.num_points} points'
        folds = 'given folds' if self.seed is None else f'folds, seed {self.seed}'
        parts = [
            f'{self.folds} {folds}, {self.queries} queries a class from the {self.query_part} part',
            f'{points}, feature concat({", ".join(self.pooling)}) {scale}',
            f'{self.classifier} C={self.C:g}',
        ]
        if self.knn_k is not None:
            parts.append(f'kNN k={self.knn_k} euclidean, one vote each')
        return f'few-shot protocol {self.name}: ' + '; '.join(parts)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return asdict(self)


FEW_SHOT_PRESETS: dict[str, FewShotProtocol] = {
    'test_queries': FewShotProtocol(),
    'crosspoint': FewShotProtocol('crosspoint', query_part='train', classifier='SVC'),
}
"""The toolbox's own protocol, and CrossPoint's: frozen features, StandardScaler, queries from the training part."""


def draw_folds(train_y: Any, test_y: Any, way: int, shot: int, protocol: FewShotProtocol) -> list[FewShotFold]:
    """Draw classes, examples and queries by (seed, way, shot, fold).

    Args:
        train_y (array): (N,) integer labels of the training part.
        test_y (array): (M,) integer labels of the test part.
        way (int): n classes.
        shot (int): m examples of each.
        protocol (FewShotProtocol): folds, queries, where they come from, seed.

    Returns:
        list[FewShotFold]: one for each fold.

    Raises:
        ValueError: fewer than n classes; a class with too few shapes for m examples, or for them and the queries; a
            protocol whose folds are given.
    """
    if protocol.seed is None:
        raise ValueError(f'Protocol {protocol.name} has no seed: its folds are given, and scored by `score_folds`.')
    return [
        draw_fold(
            train_y,
            test_y,
            way,
            shot,
            fold,
            queries=protocol.queries,
            query_part=protocol.query_part,
            seed=protocol.seed,
        )
        for fold in range(protocol.folds)
    ]


def score_folds(
    train_x: Any, train_y: Any, test_x: Any, test_y: Any, folds: Iterable[FewShotFold], protocol: FewShotProtocol
) -> dict[str, Spread]:
    """Accuracy over folds, of a linear SVM and of nearest neighbours.

    Args:
        train_x (array): (N, C) features, already pooled as the protocol says.
        train_y (array): (N,) integer labels.
        test_x (array): (M, C) features.
        test_y (array): (M,) integer labels.
        folds (Iterable[FewShotFold]): drawn, or those that were published.
        protocol (FewShotProtocol): classifiers.

    Returns:
        dict[str, Spread]: ``svm`` and, where the protocol has one, ``knn``; mean and deviation over the folds.
    """
    train_x, train_y, test_x, test_y = check_parts(train_x, train_y, test_x, test_y)
    other_x, other_y = (train_x, train_y) if protocol.query_part == 'train' else (test_x, test_y)
    found: dict[str, list[float]] = {}
    for fold in folds:
        known_x, known_y, asked_x = train_x[fold.support], train_y[fold.support], other_x[fold.query]
        asked_y = other_y[fold.query]
        options: dict[str, Any] = {'standardize': protocol.standardize}
        svm = linear_svm(known_x, known_y, asked_x, asked_y, protocol.C, classifier=protocol.classifier, **options)
        found.setdefault('svm', []).append(svm.accuracy)
        if protocol.knn_k is not None:
            predicted = knn_predict(known_x, known_y, asked_x, protocol.knn_k, **options)
            found.setdefault('knn', []).append(float((predicted == asked_y).mean()))
    return {name: spread(values) for name, values in found.items()}


def few_shot(
    train_x: Any,
    train_y: Any,
    test_x: Any,
    test_y: Any,
    protocol: FewShotProtocol | None = None,
    ways: Iterable[int] = (5, 10),
    shots: Iterable[int] = (10, 20),
) -> dict[str, dict[str, Spread]]:
    """All settings of the custom on frozen features.

    Args:
        train_x (array): (N, C) features.
        train_y (array): (N,) integer labels.
        test_x (array): (M, C) features.
        test_y (array): (M,) integer labels.
        protocol (FewShotProtocol | None): None for the default.
        ways (Iterable[int]): numbers of classes.
        shots (Iterable[int]): numbers of examples.

    Returns:
        dict[str, dict[str, Spread]]: ``'5-way 10-shot'`` -> scores of :func:`score_folds`.
    """
    protocol, shots = protocol or FewShotProtocol(), tuple(shots)
    return {
        f'{way}-way {shot}-shot': score_folds(
            train_x, train_y, test_x, test_y, draw_folds(train_y, test_y, way, shot, protocol), protocol
        )
        for way in ways
        for shot in shots
    }
