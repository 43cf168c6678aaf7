"""An encoder's scores, and those of the same encoder before any training, under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .features import calibrate_batchnorm, extract_features
from .protocols import Protocol, Spread, probe, spread

__all__ = ['control_spread', 'random_controls', 'score_encoder']

Part = tuple[NDArray[Any], NDArray[Any]]


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
    train_x = extract_features(encoder, train[0], batch_size, device, protocol.pooling)
    test_x = extract_features(encoder, test[0], batch_size, device, protocol.pooling)
    test_y = np.asarray(test[1])
    scores = probe(train_x, train[1], test_x, test_y, protocol)
    named: dict[str, float] = {}
    if scores.knn is not None and scores.knn_predicted is not None:
        named['knn'] = scores.knn
        named.update(_on_subsets('knn', scores.knn_predicted == test_y, subsets))
    if scores.svm is not None:
        named.update(svm=scores.svm.accuracy, svm_C=scores.svm.C)
        named.update(_on_subsets('svm', scores.svm.predicted == test_y, subsets))
    return named


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

    Returns:
        list[dict]: per seed ``seed``, ``raw`` and ``calibrated`` (scores; ``calibrated`` is None for an encoder
        without batch norm) and ``best`` (the better of each accuracy).
    """
    options: dict[str, Any] = {'subsets': subsets, 'batch_size': batch_size, 'device': device}
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            encoder = build_encoder()
        raw = score_encoder(encoder, train, test, protocol, **options)
        calibrated = None
        if calibrate_batchnorm(encoder, train[0], batch_size, device):
            calibrated = score_encoder(encoder, train, test, protocol, **options)
        both = [scores for scores in (raw, calibrated) if scores is not None]
        best = {name: max(scores[name] for scores in both) for name in raw if name != 'svm_C'}
        rows.append({'seed': seed, 'raw': raw, 'calibrated': calibrated, 'best': best})
    return rows


def control_spread(rows: Iterable[Mapping[str, Any]]) -> dict[str, Spread]:
    """Spread of each accuracy over the controls of ``random_controls``."""
    rows = list(rows)
    return {name: spread(row['best'][name] for row in rows) for name in rows[0]['best']}


def _on_subsets(
    name: str, correct: NDArray[np.bool_], subsets: Mapping[str, NDArray[np.bool_]] | None
) -> dict[str, float]:
    return {f'{name}/{subset}': float(correct[rows].mean()) for subset, rows in (subsets or {}).items()}
