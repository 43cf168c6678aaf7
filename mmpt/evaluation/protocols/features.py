"""Features as the classifiers take them: composed from named pools, checked, standardised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ['check_parts', 'compose_features', 'standardize_parts']


def compose_features(pooled: Mapping[str, Any], pooling: Sequence[str]) -> NDArray[np.float32]:
    """Concatenate named pools into one feature per shape.

    Args:
        pooled (Mapping[str, array]): name -> (N, C) or (C,), for example ``max`` and ``mean`` over the patch tokens,
            ``cls`` for a global token.
        pooling (Sequence[str]): the names to concatenate, in this order; names joined by a plus are summed first, so
            ``('cls', 'max+mean')`` gives 2 C values.

    Returns:
        ndarray: (N, sum of widths) or (sum of widths,) float32.
    """
    if isinstance(pooling, str) or not pooling:
        raise ValueError(f"`pooling` is a non-empty list of pool names such as ('max', 'mean'), not {pooling!r}.")
    pieces = []
    for entry in pooling:
        terms = [name.strip() for name in entry.split('+')]
        missing = [name for name in terms if name not in pooled]
        if missing:
            raise KeyError(
                f'Pooling asks for {missing[0]!r}, but the encoder gives {", ".join(sorted(pooled)) or "nothing"}: '
                'change `pooling`, or give the encoder that global token.'
            )
        arrays = [np.asarray(pooled[name], dtype=np.float32) for name in terms]
        pieces.append(np.sum(arrays, axis=0, dtype=np.float32))
    return np.concatenate(pieces, axis=-1)


def check_parts(
    train_x: Any, train_y: Any, test_x: Any, test_y: Any
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Bring both parts to float64 features and int64 labels, or say in one sentence what is wrong with them.

    Args:
        train_x (array): (N, C) features of the training part.
        train_y (array): (N,) integer labels, not negative.
        test_x (array): (M, C) features of the test part.
        test_y (array): (M,) integer labels, not negative.

    Returns:
        tuple: train_x (N, C) float64, train_y (N,) int64, test_x (M, C) float64, test_y (M,) int64.
    """
    train = _check_part('training', train_x, train_y)
    test = _check_part('test', test_x, test_y)
    if train[0].shape[1] != test[0].shape[1]:
        raise ValueError(
            f'Training features have {train[0].shape[1]} values and test features {test[0].shape[1]}: '
            'both parts must come from one encoder and one pooling.'
        )
    return *train, *test


def _check_part(part: str, features: Any, labels: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    x, y = np.asarray(features), np.asarray(labels)
    if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f'The {part} features must be a non-empty (N, C) array, not one of shape {x.shape}.')
    if y.shape != x.shape[:1]:
        raise ValueError(f'The {part} part has features of shape {x.shape}, but labels of shape {y.shape}.')
    if y.dtype.kind not in 'iu':
        raise TypeError(f'The {part} labels must be integers, not {y.dtype}.')
    if y.min() < 0:
        raise ValueError(
            f'The {part} part has {int((y < 0).sum())} negative labels: leave shapes without a label out of it.'
        )
    x = x.astype(np.float64)
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise ValueError(
            f'{int(bad.sum())} of {len(x)} {part} features are not finite (the first is row {int(bad.argmax())}).'
        )
    return x, y.astype(np.int64)


def standardize_parts(
    train_x: NDArray[np.float64], test_x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Zero mean and unit variance per column, both measured on ``train_x`` alone.

    Args:
        train_x (ndarray): (N, C) float64.
        test_x (ndarray): (M, C) float64.

    Returns:
        tuple: the two parts, same shapes.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train_x)
    return scaler.transform(train_x), scaler.transform(test_x)
