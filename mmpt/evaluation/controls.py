"""An encoder's scores, and those of the same encoder before any training, under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .features import calibrate_batchnorm, extract_features
from .protocols import ProbeScores, Protocol, Spread, probe, spread

__all__ = [
    'control_spread',
    'correct_items',
    'probe_encoder',
    'random_controls',
    'score_encoder',
    'untrained_encoder',
]

Part = tuple[NDArray[Any], NDArray[Any]]
# Accuracies, and the items behind them.
_Scored = tuple[dict[str, float], dict[str, NDArray[np.bool_]]]


def score_encoder(
    encoder: nn.Module,
    train: Part,
    test: Part,
    protocol: Protocol,
    *,
    subsets: Mapping[str, NDArray[np.bool_]] | None = None,
    batch_size: int = 64,
    device: torch.device | str = 'cpu',
) -> dict[str, float]:
    """Score a frozen encoder on labelled clouds.

    Args:
        encoder (nn.Module): maps (B, P, 3) points to ``Tokens``.
        train (tuple): points (N, P, 3) and labels (N,) of the training part.
        test (tuple): points (M, P, 3) and labels (M,) of the test part.
        protocol (Protocol): pooling and classifiers.
        subsets (Mapping[str, ndarray] | None): name -> (M,) bool; accuracies on these test shapes are added.
        batch_size (int): clouds per forward pass.
        device (torch.device | str): where the encoder runs.

    Returns:
        dict[str, float]: ``knn``, ``svm``, ``svm_C`` and, for each subset, ``knn/<name>``, ``svm/<name>``.
    """
    scores = probe_encoder(encoder, train, test, protocol, batch_size=batch_size, device=device)
    return _named(scores, correct_items(scores, test[1], subsets))


def probe_encoder(
    encoder: nn.Module,
    train: Part,
    test: Part,
    protocol: Protocol,
    *,
    batch_size: int = 64,
    device: torch.device | str = 'cpu',
) -> ProbeScores:
    """Like :func:`score_encoder`, with the predictions.

    Args:
        encoder (nn.Module): maps (B, P, 3) points to ``Tokens``.
        train (tuple): points (N, P, 3) and labels (N,) of the training part.
        test (tuple): points (M, P, 3) and labels (M,) of the test part.
        protocol (Protocol): pooling and classifiers.
        batch_size (int): clouds per forward pass.
        device (torch.device | str): where the encoder runs.

    Returns:
        ProbeScores: of ``probe``.
    """
    train_x = extract_features(encoder, train[0], batch_size, device, protocol.pooling)
    test_x = extract_features(encoder, test[0], batch_size, device, protocol.pooling)
    return probe(train_x, train[1], test_x, test[1], protocol)


def correct_items(
    scores: ProbeScores, labels: Any, subsets: Mapping[str, NDArray[np.bool_]] | None = None
) -> dict[str, NDArray[np.bool_]]:
    """On which test shapes the classifiers are right.

    Args:
        scores (ProbeScores): of ``probe``.
        labels (array): (M,) of the test part.
        subsets (Mapping[str, ndarray] | None): see ``score_encoder``.

    Returns:
        dict[str, ndarray]: ``knn``, ``svm`` (M,) bool and, for each subset, ``knn/<name>``, ``svm/<name>`` of its
        shapes alone; what the protocol leaves out is missing. Their means are the accuracies.
    """
    predicted = {'knn': scores.knn_predicted, 'svm': None if scores.svm is None else scores.svm.predicted}
    correct: dict[str, NDArray[np.bool_]] = {}
    for name, labels_given in predicted.items():
        if labels_given is not None:
            correct[name] = labels_given == np.asarray(labels)
            correct.update({f'{name}/{subset}': correct[name][rows] for subset, rows in (subsets or {}).items()})
    return correct


def random_controls(
    build_encoder: Callable[[], nn.Module],
    train: Part,
    test: Part,
    protocol: Protocol,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    subsets: Mapping[str, NDArray[np.bool_]] | None = None,
    batch_size: int = 64,
    device: torch.device | str = 'cpu',
    keep_items: bool = False,
) -> list[dict[str, Any]]:
    """Score the encoder at random initialisation, once per seed.

    Each is scored raw and with batch statistics calibrated on the training part, and keeps the better of the two for
    every accuracy on its own: the strongest control, so that a gain over it is a gain of training.

    Args:
        build_encoder (Callable): builds the encoder; its initialisation is seeded here.
        train (tuple): points (N, P, 3) and labels (N,) of the training part.
        test (tuple): points (M, P, 3) and labels (M,) of the test part.
        protocol (Protocol): pooling and classifiers.
        seeds (Sequence[int]): one control each.
        subsets (Mapping[str, ndarray] | None): see ``score_encoder``.
        batch_size (int): clouds per forward pass.
        device (torch.device | str): where the encoders run.
        keep_items (bool): add on which test shapes the better of the two is right, which no JSON can hold.

    Returns:
        list[dict]: per seed ``seed``, ``raw`` and ``calibrated`` (scores; ``calibrated`` is None for an encoder
        without batch norm), ``best`` (the better of each accuracy) and, if asked for, ``correct`` (what
        ``correct_items`` gives of the better one, raw where both are equal).
    """
    options: dict[str, Any] = {'batch_size': batch_size, 'device': device}

    def score(encoder: nn.Module) -> _Scored:
        scores = probe_encoder(encoder, train, test, protocol, **options)
        correct = correct_items(scores, test[1], subsets)
        return _named(scores, correct), correct

    rows: list[dict[str, Any]] = []
    for seed in seeds:
        encoder = untrained_encoder(build_encoder, seed)
        both = [score(encoder)]
        if calibrate_batchnorm(encoder, train[0], batch_size, device):
            both.append(score(encoder))
        better = {name: _better(both, name) for name in both[0][1]}
        row: dict[str, Any] = {'seed': seed, 'raw': both[0][0], 'calibrated': both[1][0] if len(both) > 1 else None}
        row['best'] = {name: scores[name] for name, (scores, _) in better.items()}
        if keep_items:
            row['correct'] = {name: correct[name] for name, (_, correct) in better.items()}
        rows.append(row)
    return rows


def untrained_encoder(build_encoder: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The encoder at random initialisation, as ``random_controls`` has it for that seed; torch's own draws go on."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_encoder()


def control_spread(rows: Iterable[Mapping[str, Any]]) -> dict[str, Spread]:
    """Spread of each accuracy over the controls of ``random_controls``."""
    rows = list(rows)
    return {name: spread(row['best'][name] for row in rows) for name in rows[0]['best']}


def _better(both: Sequence[_Scored], name: str) -> _Scored:
    return max(both, key=lambda scored: scored[0][name])


def _named(scores: ProbeScores, correct: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Accuracies in the order of ``correct``, and the C behind that of the SVM."""
    named: dict[str, float] = {}
    for name, right in correct.items():
        named[name] = float(right.mean())
        if name == 'svm' and scores.svm is not None:
            named['svm_C'] = scores.svm.C
    return named
