"""Time our solver of the linear SVM against scikit-learn's LinearSVC: the path over C that cross-validation takes.

    python tools/benchmarks/svm_speed.py                                        3,184 x 256 features, 10 classes
    python tools/benchmarks/svm_speed.py --samples 9843 --width 768 --classes 40 --rounds 1      ModelNet40's size
    python tools/benchmarks/svm_speed.py --features features.npz                of tools/extract_features.py

Both fit the same standardised features in turn in one process, on one thread, and are timed by the CPU clock, so that
other load on the machine falls on neither. Ours starts each C from the one before; scikit-learn's has no such start.
Beside the ratio: the largest difference of their predictions' accuracy on other samples, and the share of predictions
that differ. Features that are not given are normal clouds around random centres.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import numpy as np
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from mmpt.evaluation import load_features
from mmpt.evaluation.protocols import C_GRID
from mmpt.evaluation.protocols.features import standardize_parts
from mmpt.evaluation.protocols.squared_hinge import fit_squared_hinge
from mmpt.utils.errors import run


def parts(args: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """Standardised training features, their classes, and the same of other samples."""
    if args.features:
        data = load_features(args.features)
        (x, y), (other, other_y) = (data.part(name) for name in ('train', 'test'))
    else:
        draws = np.random.default_rng(0)
        centres = draws.normal(size=(args.classes, args.width))
        y, other_y = np.arange(args.samples) % args.classes, np.arange(args.samples // 4) % args.classes
        x, other = (
            centres[labels] + args.noise * draws.normal(size=(len(labels), args.width)) for labels in (y, other_y)
        )
    return *standardize_parts(np.asarray(x, np.float64), np.asarray(other, np.float64)), y, other_y


def ours(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> list[np.ndarray]:
    """Predictions for each C."""
    weights, found = None, []
    for C in C_GRID:
        weights, _ = fit_squared_hinge(x, y, C, weights)
        found.append((other @ weights[:, :-1].T + weights[:, -1]).argmax(1))
    return found


def theirs(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> list[np.ndarray]:
    """Predictions for each C, by scikit-learn at its own tolerance."""
    return [LinearSVC(C=C, dual='auto', random_state=0, max_iter=10_000).fit(x, y).predict(other) for C in C_GRID]


def main() -> None:
    """Print the rounds, the median ratio with its spread, and how far results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--samples', type=int, default=3184, help='of the training part; a quarter of that is scored')
    parser.add_argument('--width', type=int, default=256)
    parser.add_argument('--classes', type=int, default=10)
    parser.add_argument('--noise', type=float, default=8.0, help='deviation around centres of deviation 1')
    parser.add_argument('--features', help='npz of tools/extract_features.py in place of generated ones')
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    x, other, y, other_y = parts(args)
    print(f'{x.shape[0]} x {x.shape[1]} features, {len(np.unique(y))} classes, C of {C_GRID}')
    ratios = []
    for place in range(args.rounds):
        spent, found = {}, {}
        with threadpool_limits(1):
            for solve in (ours, theirs):
                start = time.process_time()
                found[solve.__name__] = solve(x, y, other)
                spent[solve.__name__] = time.process_time() - start
        ratios.append(spent['theirs'] / spent['ours'])
        print(
            f'round {place}: ours {spent["ours"]:.2f} s, scikit-learn {spent["theirs"]:.2f} s, {ratios[-1]:.1f} times'
        )
    pairs = list(zip(found['ours'], found['theirs'], strict=True))
    apart = max(abs(float((one == other_y).mean() - (two == other_y).mean())) for one, two in pairs)
    differ = max(float((one != two).mean()) for one, two in pairs)
    print(f'scikit-learn takes {statistics.median(ratios):.1f} times as long ({min(ratios):.1f} to {max(ratios):.1f})')
    print(f'accuracies differ by at most {apart:.4f}, predictions by at most {differ:.2%}')


if __name__ == '__main__':
    sys.exit(run(main))
