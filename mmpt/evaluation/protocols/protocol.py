"""The protocol of a score as data, so that it is written next to the number."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import check_parts
from .knn import knn_predict
from .svm import C_GRID, SvmResult, linear_svm, resolve_c_rule

__all__ = ['PRESETS', 'ProbeScores', 'Protocol', 'probe', 'protocol_named']


@dataclass(frozen=True)
class Protocol:
    """Everything that decides a kNN or SVM score beside the encoder and the data.

    The defaults are frozen by a test: changing one changes published numbers.

    Attributes:
        name (str): short name of the protocol.
        pooling (tuple[str, ...]): see ``compose_features``.
        num_points (int | None): points per shape that the encoder sees; None: as many as the data hold.
        standardize (bool): columns scaled by mean and deviation of the training part.
        knn_k (int | None): neighbours with one vote each; None: no kNN.
        knn_metric (str): ``euclidean`` or ``cosine``.
        classifier (str | None): ``LinearSVC`` or ``SVC``; None: no SVM.
        C (str | float): ``cv`` or the value.
        grid (tuple[float, ...]): values of C that ``cv`` tries.
        folds (int): folds of ``cv``.
        seed (int): of the shuffle before the folds.
    """

    name: str = 'cv'
    pooling: tuple[str, ...] = ('max', 'mean')
    num_points: int | None = None
    standardize: bool = True
    knn_k: int | None = 1
    knn_metric: str = 'euclidean'
    classifier: str | None = 'LinearSVC'
    C: str | float = 'cv'
    grid: tuple[float, ...] = C_GRID
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Accept lists from configs and refuse a C that no classifier knows."""
        object.__setattr__(self, 'pooling', tuple(self.pooling))
        object.__setattr__(self, 'grid', tuple(float(c) for c in self.grid))
        if self.C != 'cv' and isinstance(self.C, str):
            raise ValueError(f"A protocol holds C as 'cv' or a number, not {self.C!r}: take `PRESETS[{self.C!r}]`.")
        resolve_c_rule(self.C)

    def describe(self) -> str:
        """One line that lets somebody else repeat the measurement."""
        points = 'all points of the data' if self.num_points is None else f'{self.num_points} points'
        scale = 'standardised on the training part' if self.standardize else 'not standardised'
        parts = [points, f'feature concat({", ".join(self.pooling)}) {scale}']
        if self.knn_k is not None:
            parts.append(f'kNN k={self.knn_k} {self.knn_metric}, one vote each')
        if self.classifier is not None:
            rule = f'C={self.C:g}' if not isinstance(self.C, str) else self._describe_cv()
            parts.append(f'{self.classifier} {rule}')
        return f'protocol {self.name}: ' + '; '.join(parts)

    def _describe_cv(self) -> str:
        values = ', '.join(f'{c:g}' for c in self.grid)
        return (
            f'C of {{{values}}} by stratified {self.folds}-fold cross-validation on the training part, seed {self.seed}'
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return asdict(self)


PRESETS: dict[str, Protocol] = {
    'cv': Protocol(),
    'point_bert': Protocol('point_bert', ('cls',), 1024, False, C=1.0),
    'crosspoint': Protocol('crosspoint', ('max', 'mean'), 1024, False, classifier='SVC', C=0.1),
    'point_m2ae': Protocol('point_m2ae', ('max+mean',), 1024, False, classifier='SVC', C=0.012),
    'i2p_mae': Protocol('i2p_mae', ('max',), 1024, False, classifier='SVC', C=0.0093),
    'recon': Protocol('recon', ('cls', 'max+mean'), 1024, False, C=0.075),
}
"""The toolbox's own protocol, and the published ones for ModelNet40 with the nearest pooling that our encoders give."""


def protocol_named(name: str) -> Protocol:
    """A protocol of ``PRESETS``.

    Raises:
        ValueError: there is none of that name; the sentence lists those there are.
    """
    if name not in PRESETS:
        raise ValueError(f'There is no protocol {name!r}; it is one of {", ".join(PRESETS)} (docs/tasks/probing.md).')
    return PRESETS[name]


class ProbeScores(NamedTuple):
    """Scores of one set of features.

    Attributes:
        knn (float | None): accuracy in [0, 1].
        knn_predicted (ndarray | None): (M,) int64.
        svm (SvmResult | None): see there.
    """

    knn: float | None
    knn_predicted: NDArray[np.int64] | None
    svm: SvmResult | None


def probe(train_x: Any, train_y: Any, test_x: Any, test_y: Any, protocol: Protocol) -> ProbeScores:
    """Score composed features by a protocol.

    Args:
        train_x (array): (N, C) features, already pooled as the protocol says.
        train_y (array): (N,) integer labels.
        test_x (array): (M, C) features.
        test_y (array): (M,) integer labels.
        protocol (Protocol): what to measure.

    Returns:
        ProbeScores: kNN and SVM, None where the protocol leaves one out. A warning names classes of one part alone.
    """
    train_x, train_y, test_x, test_y = check_parts(train_x, train_y, test_x, test_y)
    _warn_about_classes(train_y, test_y)
    knn, predicted, svm = None, None, None
    if protocol.knn_k is not None:
        predicted = knn_predict(
            train_x, train_y, test_x, protocol.knn_k, protocol.knn_metric, standardize=protocol.standardize
        )
        knn = float((predicted == test_y).mean())
    if protocol.classifier is not None:
        svm = linear_svm(
            train_x,
            train_y,
            test_x,
            test_y,
            C=protocol.C,
            grid=protocol.grid,
            folds=protocol.folds,
            seed=protocol.seed,
            standardize=protocol.standardize,
            classifier=protocol.classifier,
        )
    return ProbeScores(knn, predicted, svm)


def _warn_about_classes(train_y: NDArray[np.int64], test_y: NDArray[np.int64]) -> None:
    """A class of one part alone is scored, but cannot be right, or is never asked for."""
    for part, own, others in (('training', train_y, test_y), ('test', test_y, train_y)):
        lacking = np.setdiff1d(others, own)
        if len(lacking):
            which = ', '.join(map(str, lacking[:10])) + (', ...' if len(lacking) > 10 else '')
            share = f', {np.isin(test_y, lacking).mean():.1%} of the test shapes' if part == 'training' else ''
            warnings.warn(
                f'{len(lacking)} classes have no shape in the {part} part (labels {which}{share}).', stacklevel=3
            )
