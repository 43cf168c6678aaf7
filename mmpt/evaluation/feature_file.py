"""Features on disk: npz without pickle, written whole or not at all."""

from __future__ import annotations

import io
import json
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmpt.utils.io import atomic_write

from .protocols import Protocol

__all__ = ['FeatureSet', 'load_features', 'save_features']


class FeatureSet(NamedTuple):
    """Features of a data set with the protocol they were made for.

    Attributes:
        features (ndarray): (N, C) float32, pooled, not standardised.
        labels (ndarray): (N,) int64, -1 for none.
        splits (ndarray): (N,) str, ``train`` or ``test``; empty where the data have no parts.
        ids (ndarray): (N,) str, sample ids.
        protocol (Protocol): how the features were pooled, and how scores are computed from them.
        classes (tuple[str, ...]): names of the labels; empty where they have none.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    ids: NDArray[np.str_]
    protocol: Protocol
    classes: tuple[str, ...] = ()

    def part(self, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features and labels of one part."""
        rows = self.splits == split
        return self.features[rows], self.labels[rows]


def save_features(path: str | os.PathLike[str], data: FeatureSet) -> None:
    """Write ``data`` to ``path``; a run stopped meanwhile leaves the file that was there before.

    Args:
        path (str): ends in ``.npz``; its folder is made.
        data (FeatureSet): what to write.
    """
    path = os.fspath(path)
    if not path.endswith('.npz'):
        raise ValueError(f'Features are saved as .npz, not to {path!r}.')
    buffer = io.BytesIO()
    np.savez(
        buffer,
        features=data.features,
        labels=data.labels,
        splits=data.splits,
        ids=data.ids,
        protocol=np.array(json.dumps(data.protocol.to_dict())),
        classes=np.array(data.classes, dtype=str),
    )
    atomic_write(buffer.getvalue(), path)


def load_features(path: str | os.PathLike[str]) -> FeatureSet:
    """Read a file of ``save_features``; nothing in it can run code."""
    with np.load(path, allow_pickle=False) as file:
        missing = sorted({'features', 'labels', 'splits', 'ids', 'protocol', 'classes'} - set(file.files))
        if missing:
            raise KeyError(f'{os.fspath(path)} is not a feature file of mmpt: it lacks {", ".join(missing)}.')
        fields: dict[str, Any] = {name: file[name] for name in ('features', 'labels', 'splits', 'ids')}
        protocol = Protocol(**json.loads(str(file['protocol'])))
        classes = tuple(map(str, file['classes']))
    return FeatureSet(protocol=protocol, classes=classes, **fields)
