"""Accuracy of a classifier, with and without voting."""

from __future__ import annotations

import io
import logging
import os
from typing import Any

import numpy as np
from mmengine.logging import print_log
from numpy.typing import NDArray

from mmpt.registry import METRICS
from mmpt.utils.io import atomic_write

from ..protocols import ClassScores, class_scores, spread, vote
from .base import SampleMetric, to_array

__all__ = ['ClassificationAccuracy', 'VotingAccuracy']

# The part of the data set that is scored comes first in the name of a score, so that no name can hide it.
_PARTS = {'train': 'held_out'}


@METRICS.register_module()
class ClassificationAccuracy(SampleMetric):
    """Overall accuracy and mean class accuracy, in [0, 1].

    Every predicted sample carries the metainfo ``split`` and ``sample_id`` and the fields ``label`` (int) and
    ``logits`` ((K,) Tensor). Scores are named after the split of the samples: ``test/accuracy``,
    ``test/mean_class_accuracy``; ``held_out/...`` where they are of the training part, which must then be a part that
    is not trained on.

    Args:
        save_predictions (str | None): path of an npz, replaced after every loop: ``ids`` (M,), ``labels`` (M,),
            ``logits`` (M, K), ``classes`` (K,) names where the data have some, ``confusion`` (K, K) by true class
            (rows) and predicted class.

    Attributes:
        scores (ClassScores | None): of the last loop, with the confusion matrix; on rank 0.
    """

    # The part that is scored stands in its place.
    default_prefix = ''

    def __init__(self, save_predictions: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self.path = save_predictions
        self.scores: ClassScores | None = None

    def row(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Name, draw, label and logits (K,) of one sample; None for what it lacks."""
        label, logits = sample.get('label'), sample.get('logits')
        return {
            'name': str(sample.get('sample_id', '')),
            'draw': int(sample.get('epoch', 0)),
            'label': None if label is None else int(label),
            'logits': None if logits is None else to_array(logits),
        }

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Accuracies of one pass over the data."""
        part, labels, logits = self._collect(rows)
        self.scores = self._class_scores(labels, logits.argmax(axis=1), logits.shape[1])
        if self.path is not None:
            self._save([row['name'] for row in rows.values()], labels, logits)
        return {
            f'{part}/accuracy': self.scores.accuracy,
            f'{part}/mean_class_accuracy': self.scores.mean_class_accuracy,
        }

    def _collect(
        self, rows: dict[tuple[str, str], dict[str, Any]]
    ) -> tuple[str, NDArray[np.int64], NDArray[np.float32]]:
        """What part of the data it is, its labels (M,) and logits (M, K)."""
        who = type(self).__name__
        for row in rows.values():
            for field in ('label', 'logits'):
                if row[field] is None:
                    raise ValueError(f'{who} needs the field `{field}`, but sample {row["name"]} has none.')
        splits = sorted({split for split, _ in rows})
        if len(splits) > 1:
            raise ValueError(
                f'{who} scores one part of a data set, but the loop runs over the splits {", ".join(splits)}; give its '
                'data loader one of them.'
            )
        labels = np.array([row['label'] for row in rows.values()])
        return _PARTS.get(splits[0], splits[0] or 'val'), labels, np.stack([row['logits'] for row in rows.values()])

    def _class_scores(self, labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int) -> ClassScores:
        lacking = sorted(set(range(num_classes)) - set(labels.tolist()))
        if lacking:
            # A head may be made for more classes than the data name.
            names = dict(enumerate((self.dataset_meta or {}).get('classes') or ()))
            name = names.get(lacking[0], lacking[0])
            print_log(
                f'{len(lacking)} of {num_classes} classes have no sample to be scored, such as {name}: '
                'the mean class accuracy leaves them out.',
                logger='current',
                level=logging.WARNING,
            )
        return class_scores(labels, predicted, num_classes)

    def _save(self, ids: list[str], labels: NDArray[np.int64], logits: NDArray[np.float32]) -> None:
        assert self.path is not None and self.scores is not None
        classes = np.array((self.dataset_meta or {}).get('classes') or (), dtype=np.str_)
        buffer = io.BytesIO()
        np.savez(buffer, ids=ids, labels=labels, logits=logits, classes=classes, confusion=self.scores.confusion)
        atomic_write(buffer.getvalue(), os.fspath(self.path))


@METRICS.register_module()
class VotingAccuracy(ClassificationAccuracy):
    """Accuracies of classes that several passes vote for by the mean of their logits (Point-BERT, METHODS 5.1).

    The data loader runs over a ``SeveralDraws`` of the data set, ``repeats * votes`` draws of every sample. The vote is
    taken ``repeats`` times, each time with draws of its own, and what is reported is the mean over them and their
    standard deviation: ``test/voted_accuracy``, ``test/voted_accuracy_std``, and likewise
    ``test/voted_mean_class_accuracy``. The confusion matrix is the sum over the repeats.

    Peers keep the best of their repeats (Point-MAE of 299, Point-BERT of 9), which selects by the test part.

    Args:
        votes (int): passes that one vote is made of.
        report_best (bool): report the best repeat as well, for comparison with those figures, under a name that says
            what it is.
    """

    def __init__(self, votes: int = 10, *, report_best: bool = False) -> None:
        super().__init__()
        self.votes, self.report_best = votes, report_best

    def key(self, sample: dict[str, Any]) -> tuple[str, str]:
        """Every draw of a sample is a row of its own."""
        split, name = super().key(sample)
        return split, name and f'{name} draw {int(sample.get("epoch", 0)):09d}'

    def score(self, rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, float]:
        """Vote, once for every ``votes`` draws."""
        part, labels, logits = self._collect(rows)
        names, which = np.unique([row['name'] for row in rows.values()], return_inverse=True)
        draws = len(rows) // len(names)
        if len(rows) % len(names) or (np.bincount(which) != draws).any():
            raise ValueError('VotingAccuracy needs as many draws of one sample as of another: set SeveralDraws around.')
        # Rows are sorted by sample, then by draw.
        passes = logits.reshape(len(names), draws, -1).swapaxes(0, 1)
        repeats = [
            self._class_scores(labels[::draws], predicted, logits.shape[1]) for predicted in vote(passes, self.votes)
        ]
        confusion = np.sum([scores.confusion for scores in repeats], axis=0)
        accuracy = spread(scores.accuracy for scores in repeats)
        by_class = spread(scores.mean_class_accuracy for scores in repeats)
        self.scores = ClassScores(accuracy.mean, by_class.mean, confusion)
        print_log(
            f'{part}: mean logits of {self.votes} passes, repeated {len(repeats)} times: accuracy '
            f'{accuracy.mean:.4f} +- {accuracy.std:.4f}.',
            logger='current',
        )
        named = {
            f'{part}/voted_accuracy': accuracy.mean,
            f'{part}/voted_accuracy_std': accuracy.std,
            f'{part}/voted_mean_class_accuracy': by_class.mean,
            f'{part}/voted_mean_class_accuracy_std': by_class.std,
        }
        if self.report_best:
            name = f'{part}/BEST_OF_{len(repeats)}_CHOSEN_BY_THESE_LABELS'
            print_log(
                f'{name} is the largest of {len(repeats)} figures of one model on the data that it is scored on: no '
                'estimate of its accuracy, only comparable with figures that were chosen in the same way.',
                logger='current',
                level=logging.WARNING,
            )
            named[name] = accuracy.max
        return named
