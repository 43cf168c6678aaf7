"""Compares checkpoints by cross-validation on the training part of labelled shapes; the test part is never opened.

    python tools/benchmarks/choose_recipe.py --data modelnet10_vox.npz --checkpoints a.pth b.pth c.pth

This is how a recipe is chosen before its test score is looked at. Every shape of the training part is predicted once,
by kNN and linear SVM fitted on the other folds under the protocol (which chooses C inside them). Differences are
against the first checkpoint, with the 95 % interval of a paired bootstrap over the shapes. The last row is the first
checkpoint's encoder untrained, seed 0, raw batch statistics.
"""

from __future__ import annotations

import argparse
import copy
import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

from _scoring import check_data  # noqa: E402
from real_shapes import read_part  # noqa: E402

from mmpt.apis import load_encoder  # noqa: E402
from mmpt.evaluation import (  # noqa: E402
    Interval,
    Protocol,
    correct_items,
    extract_features,
    paired_bootstrap,
    protocol_named,
    untrained_encoder,
)
from mmpt.evaluation.protocols import probe  # noqa: E402
from mmpt.registry import ENCODERS  # noqa: E402
from mmpt.utils.errors import ConfigError, run  # noqa: E402
from mmpt.utils.io import atomic_write  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402


def out_of_fold(
    features: NDArray[np.float32], labels: NDArray[np.int64], protocol: Protocol, folds: int
) -> dict[str, NDArray[np.bool_]]:
    """On which shapes classifiers that were fitted without them are right.

    Args:
        features (ndarray): (N, C) float32.
        labels (ndarray): (N,) int64.
        protocol (Protocol): of both classifiers.
        folds (int): stratified and shuffled, seed 0.

    Returns:
        dict[str, ndarray]: ``knn``, ``svm`` -> (N,) bool.

    Raises:
        ConfigError: a class has fewer shapes than there are folds.
    """
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    if fewest < folds:
        raise ConfigError(f'--folds {folds} needs as many training shapes of every class; one class has {fewest}.')
    right: dict[str, NDArray[np.bool_]] = {}
    for fitted, held_out in StratifiedKFold(folds, shuffle=True, random_state=0).split(features, labels):
        scores = probe(features[fitted], labels[fitted], features[held_out], labels[held_out], protocol)
        for metric, correct in correct_items(scores, labels[held_out]).items():
            right.setdefault(metric, np.zeros(len(labels), bool))[held_out] = correct
    return right


def measure(encoder: nn.Module, args: argparse.Namespace, protocol: Protocol) -> dict[str, NDArray[np.bool_]]:
    """:func:`out_of_fold` of an encoder."""
    points, labels = read_part(str(args.data), 'train', args.up_axis, args.num_points)
    features = extract_features(encoder, points, args.batch_size, args.device, protocol.pooling)
    return out_of_fold(features, labels, protocol, args.folds)


def rows_of(right: Mapping[str, Mapping[str, NDArray[np.bool_]]]) -> list[dict[str, Any]]:
    """Accuracies, and differences from the first, JSON-able.

    Args:
        right (Mapping): name of an encoder -> what :func:`out_of_fold` gives; the first is compared with.
    """
    first = next(iter(right.values()))
    rows = []
    for name, correct in right.items():
        row: dict[str, Any] = {'encoder': name}
        for metric, items in correct.items():
            (difference,) = paired_bootstrap([(items, first[metric])])
            row[metric] = {'accuracy': float(items.mean()), 'minus_first': difference._asdict()}
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = ['| encoder | 1-NN | minus first [95 %] | linear SVM | minus first [95 %] |', '|---|---|---|---|---|']
    for row in rows:
        cells = []
        for metric in ('knn', 'svm'):
            cells += [f'{row[metric]["accuracy"]:.3f}', str(Interval(**row[metric]['minus_first']))]
        lines.append(f'| {row["encoder"]} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', type=Path, required=True, help='npz of labelled shapes (docs/data.md)')
    parser.add_argument('--checkpoints', nargs='+', required=True, help='the first is compared with')
    parser.add_argument('--up-axis', choices=('z', 'y'), default='z', help='vertical axis of the file')
    parser.add_argument('--num-points', type=int, default=1024, help='points of each shape')
    parser.add_argument('--protocol', default='cv', help='by name, docs/tasks/probing.md')
    parser.add_argument('--folds', type=int, default=5)
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--json', metavar='OUT', help='write all numbers there')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    args.command = shlex.join(
        ['python', 'tools/benchmarks/choose_recipe.py', *(sys.argv[1:] if argv is None else argv)]
    )
    (args.data,) = check_data(parser, [args.data])
    if len(set(args.checkpoints)) < len(args.checkpoints):
        parser.error('--checkpoints names one of them twice.')
    return args


def main(argv: list[str] | None = None) -> None:
    """All checkpoints, then the table."""
    args = parse_args(argv)
    register_all_modules()
    protocol = replace(protocol_named(args.protocol), num_points=args.num_points)
    right: dict[str, Any] = {}
    build: dict[str, Any] | None = None
    for checkpoint in args.checkpoints:
        encoder = load_encoder(checkpoint)
        build = build or copy.deepcopy(encoder.cfg)
        right[checkpoint] = measure(encoder, args, protocol)
        print(f'{checkpoint}: {", ".join(f"{m} {v.mean():.4f}" for m, v in right[checkpoint].items())}', flush=True)
    control = untrained_encoder(lambda: ENCODERS.build(copy.deepcopy(build)), 0)
    right['untrained, seed 0, raw'] = measure(control, args, protocol)
    rows = rows_of(right)
    print(f'{args.data.name}, training part, {args.folds} folds; {protocol.describe()}\n{table(rows)}')
    if args.json:
        known = {'command': args.command, 'protocol': protocol.to_dict(), 'folds': args.folds, 'rows': rows}
        atomic_write(json.dumps(known, indent=1).encode(), args.json)


if __name__ == '__main__':
    sys.exit(run(main))
