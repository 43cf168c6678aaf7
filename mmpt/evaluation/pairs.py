"""Joint embeddings of a data set's shapes and pictures, and what can be found by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .features import calibrated_batchnorm, training_flags_restored
from .protocols import RetrievalProtocol, class_prototypes, nearest_prototype, retrieve

__all__ = ['PairEmbeddings', 'PairScores', 'embed_pairs', 'pair_controls', 'score_pairs']


class PairEmbeddings(NamedTuple):
    """Shapes with a picture, one a row.

    Attributes:
        points (ndarray): (N, D) float32, shapes in the joint space.
        images (ndarray): (N, D) float32, their pictures.
        labels (ndarray | None): (N,) int64; None where some have no class.
        splits (ndarray): (N,) str, ``train`` or ``test``.
        rows (ndarray): (N,) int64, which sample of all that were read each one is.
    """

    points: NDArray[np.float32]
    images: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    splits: NDArray[np.str_]
    rows: NDArray[np.int64]

    def part(self, split: str) -> PairEmbeddings:
        """Those of one part."""
        keep = self.splits == split
        labels = None if self.labels is None else self.labels[keep]
        return PairEmbeddings(self.points[keep], self.images[keep], labels, self.splits[keep], self.rows[keep])


class PairScores(NamedTuple):
    """What was found.

    Attributes:
        scores (dict[str, float]): ``<direction>/R@k`` (the own partner among the first k), ``<direction>/class R@k``
            (one of the class) and ``<direction>/mAP`` for ``image to shape``, ``shape to image`` and ``shape to shape``
            (which has no partner), and ``zero-shot/accuracy``; those of classes only where all shapes have one.
        order (dict[str, ndarray]): by direction (Q, k) int64, rows of the test part that come first.
    """

    scores: dict[str, float]
    order: dict[str, NDArray[np.int64]]


def embed_pairs(model: nn.Module, batches: Iterable[Mapping[str, Any]]) -> PairEmbeddings:
    """Embed every sample that has a picture, with the model in evaluation mode and without gradients.

    Args:
        model (nn.Module): a pre-trainer with ``embed`` and ``data_preprocessor``; its training flags are restored.
        batches (Iterable[Mapping]): of contract 1, in order.

    Returns:
        PairEmbeddings: samples without a picture, and those that stand in for unreadable ones, are left out.

    Raises:
        ValueError: no sample has a picture, or the model has no joint space.
    """
    points, images, labels, splits, rows = [], [], [], [], []
    read = 0
    with training_flags_restored(model), torch.no_grad():
        model.eval()
        for batch in batches:
            data = model.data_preprocessor(batch)  # type: ignore[operator]
            samples = data['data_samples']
            embedded = model.embed(data['inputs'])  # type: ignore[operator]
            pictured = data['inputs']['image_rows'].tolist() if 'images' in embedded else []
            for place, row in enumerate(pictured):
                if samples[row].get('skipped'):
                    continue
                points.append(embedded['points'][row].cpu().numpy())
                images.append(embedded['images'][place].cpu().numpy())
                label = samples[row].get('label')
                labels.append(-1 if label is None else int(label))
                splits.append(str(samples[row].get('split', '')))
                rows.append(read + row)
            read += len(samples)
    if not rows:
        raise ValueError(
            f'Retrieval needs shapes with a picture, and none of the {read} samples has one: set image_views of '
            'PackInputs, and take a data set with pictures.'
        )
    known = None if min(labels) < 0 else np.array(labels, np.int64)
    return PairEmbeddings(np.stack(points), np.stack(images), known, np.array(splits), np.array(rows, np.int64))


def score_pairs(data: PairEmbeddings, protocol: RetrievalProtocol) -> PairScores:
    """Retrieve among the test part; name its classes by pictures of the training part.

    Args:
        data (PairEmbeddings): both parts; without a training part there is no zero-shot score.
        protocol (RetrievalProtocol): lengths of lists, pictures of a prototype.

    Returns:
        PairScores: see there.

    Raises:
        ValueError: fewer than two test shapes with a picture, or too few training pictures of a class.
    """
    test, train = data.part('test'), data.part('train')
    pairs = {
        'image to shape': (test.images, test.points),
        'shape to image': (test.points, test.images),
        'shape to shape': (test.points, None),
    }
    scores: dict[str, float] = {}
    order = {}
    for name, (queries, gallery) in pairs.items():
        if gallery is None and test.labels is None:
            continue
        found = retrieve(queries, gallery, test.labels, protocol)
        scores.update({f'{name}/R@{k}': value for k, value in (found.pair or {}).items()})
        scores.update({f'{name}/class R@{k}': value for k, value in (found.by_class or {}).items()})
        if found.mean_ap is not None:
            scores[f'{name}/mAP'] = found.mean_ap
        order[name] = found.order
    if test.labels is not None and train.labels is not None and len(train.rows):
        classes, prototypes = class_prototypes(train.images, train.labels, protocol.prototype_images, protocol.seed)
        predicted = nearest_prototype(test.points, classes, prototypes)
        scores['zero-shot/accuracy'] = float((predicted == test.labels).mean())
    return PairScores(scores, order)


def pair_controls(
    build_model: Callable[[], nn.Module],
    batches: Iterable[Mapping[str, Any]],
    train_batches: Iterable[Mapping[str, Any]],
    protocol: RetrievalProtocol,
    seeds: Sequence[int] = (0, 1, 2),
) -> list[dict[str, Any]]:
    """Score the model at random initialisation, once per seed, as ``random_controls`` does with an encoder.

    Args:
        build_model (Callable): builds the pre-trainer where it is to run; its initialisation is seeded here.
        batches (Iterable[Mapping]): both parts, read several times.
        train_batches (Iterable[Mapping]): of the training part, on which batch statistics are calibrated.
        protocol (RetrievalProtocol): see ``score_pairs``.
        seeds (Sequence[int]): one control each.

    Returns:
        list[dict]: per seed ``seed``, ``raw``, ``calibrated`` (None without batch norms) and ``best`` (the better of
        each score).
    """
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = build_model()
        raw = score_pairs(embed_pairs(model, batches), protocol).scores
        calibrated = None
        with calibrated_batchnorm(model) as layers, torch.no_grad():
            for batch in train_batches if layers else ():
                model.embed(model.data_preprocessor(batch)['inputs'])  # type: ignore[operator]
        if layers:
            calibrated = score_pairs(embed_pairs(model, batches), protocol).scores
        best = {name: max(value, (calibrated or raw)[name]) for name, value in raw.items()}
        rows.append({'seed': seed, 'raw': raw, 'calibrated': calibrated, 'best': best})
    return rows
