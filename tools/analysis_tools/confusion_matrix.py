"""Which classes are taken for which: a picture of the confusion matrix, and the most frequent mistakes.

    python tools/analysis_tools/confusion_matrix.py features.npz --classifier svm    # of tools/extract_features.py
    python tools/analysis_tools/confusion_matrix.py predictions.npz                  # labels and predictions (N,)

Features are scored by the protocol in their file: kNN or SVM fitted on its training part, applied to its test part. Any
other npz or JSON holds `labels` and `predictions`, or a `confusion` (K, K) of true by predicted class; `classes`, the
names, are optional.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.datasets.reading import read_npz
from mmpt.evaluation import load_features
from mmpt.evaluation.protocols import probe
from mmpt.utils.errors import ConfigError, run
from mmpt.visualization import save_confusion

_MISTAKES = 10


def read(path: str, classifier: str) -> tuple[np.ndarray, list[str]]:
    """Counts (K, K), true class by predicted class, and K names.

    Raises:
        ConfigError: the file holds nothing to count, or a part that a classifier needs is missing.
    """
    fields = _fields(path)
    classes = [str(name) for name in fields.get('classes', ())]
    if 'features' in fields:
        fields['labels'], fields['predictions'] = _predict(path, classifier)
    if 'confusion' in fields:
        counts = np.asarray(fields['confusion'])
    elif {'labels', 'predictions'} <= set(fields):
        from sklearn.metrics import confusion_matrix

        labels, predictions = (np.asarray(fields[key]) for key in ('labels', 'predictions'))
        known = max(len(classes), int(max(labels.max(), predictions.max())) + 1)
        counts = confusion_matrix(labels, predictions, labels=range(known))
    else:
        raise ConfigError(f'{path} holds {", ".join(fields)}: expected features, labels and predictions, or confusion.')
    if counts.ndim != 2 or len(set(counts.shape)) > 1 or len(classes) not in (0, len(counts)):
        raise ConfigError(f'{path}: a confusion of shape {counts.shape} does not fit {len(classes)} classes.')
    return counts, classes or [str(number) for number in range(len(counts))]


def _fields(path: str) -> dict[str, Any]:
    if path.endswith('.json'):
        found = json.loads(Path(path).read_text())
        if not isinstance(found, dict):
            raise ConfigError(f'{path} holds no JSON object with labels and predictions, or a confusion.')
        return found
    return read_npz(path)


def _predict(path: str, classifier: str) -> tuple[np.ndarray, np.ndarray]:
    data = load_features(path)
    train, test = data.part('train'), data.part('test')
    if not len(train[1]) or not len(test[1]):
        raise ConfigError(f'{path}: a classifier needs a training and a test part, and one of them is empty.')
    scores = probe(*train, *test, data.protocol)
    predicted = scores.knn_predicted if classifier == 'knn' else scores.svm and scores.svm.predicted
    if predicted is None:
        raise ConfigError(f'The protocol in {path} has no {classifier}: {data.protocol.describe()}.')
    return test[1], predicted


def main() -> None:
    """Count, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', metavar='FILE', help='npz or JSON')
    parser.add_argument('--classifier', choices=('knn', 'svm'), default='svm', help='for a file of features')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/confusion.png'))
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    counts, names = read(args.file, args.classifier)
    print(f'{int(np.trace(counts))} of {int(counts.sum())} right, accuracy {np.trace(counts) / counts.sum():.3f}')
    wrong = counts - np.diag(np.diag(counts))
    for place in wrong.ravel().argsort(kind='stable')[::-1][:_MISTAKES]:
        true, taken = divmod(int(place), len(names))
        if wrong[true, taken]:
            print(f'{names[true]} taken for {names[taken]}: {wrong[true, taken]} of {counts[true].sum()}')
    save_confusion(args.out, counts, names)
    print(f'written: {args.out}')


if __name__ == '__main__':
    sys.exit(run(main))
