"""Scores an encoder on real labelled shapes against the same encoder at random initialisation.

    python tools/benchmarks/real_shapes.py --data modelnet10_vox.npz --checkpoint work_dirs/pretrain/best.pth

The file is an npz with points_train, points_test (N, P, 3), labels_train, labels_test (N,), class_names and, where test
shapes also occur in the training part, dup_test (N,) bool. It is measured on only: the encoder stays frozen, and the
classifiers see the training part alone. With --config there is no checkpoint, and the controls are scored alone.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from mmpt.apis import load_encoder
from mmpt.datasets.reading import read_npz
from mmpt.evaluation import compare_with_controls, comparison_table, protocol_named
from mmpt.registry import ENCODERS
from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError, run
from mmpt.utils.io import atomic_write
from mmpt.utils.setup import register_all_modules


def read_shapes(path: str, up_axis: str, num_points: int) -> dict[str, Any]:
    """Shapes in mmpt's frame: y up, centred, largest radius 1.

    Args:
        path (str): the npz, see above; read without pickle.
        up_axis (str): ``z`` or ``y``, the vertical axis of the file.
        num_points (int): the first so many points of every shape; the file holds them in random order.

    Returns:
        dict: ``train`` and ``test`` as (points (N, num_points, 3) float32, labels (N,) int64), ``duplicates``
        ((N_test,) bool or None), ``classes`` (list[str]).
    """
    parts = {part: read_part(path, part, up_axis, num_points) for part in ('train', 'test')}
    more = read_npz(path, (), optional=('dup_test', 'class_names'))
    duplicates = more['dup_test'].astype(bool) if 'dup_test' in more else None
    return {**parts, 'duplicates': duplicates, 'classes': [str(name) for name in more.get('class_names', ())]}


def read_part(path: str, part: str, up_axis: str, num_points: int) -> tuple[np.ndarray, np.ndarray]:
    """One part of :func:`read_shapes`, without a look at the other.

    Args:
        path (str): the npz.
        part (str): ``train`` or ``test``.
        up_axis (str): see there.
        num_points (int): see there.

    Returns:
        tuple: points (N, num_points, 3) float32, labels (N,) int64.

    Raises:
        ValueError: it is no npz, is damaged, or lacks an array.
        ConfigError: there are too few points.
    """
    points, labels = read_npz(path, (f'points_{part}', f'labels_{part}')).values()
    if points.shape[1] < num_points:
        raise ConfigError(f'{path} has {points.shape[1]} points per shape, fewer than the {num_points} asked.')
    return _to_frame(points[:, :num_points], up_axis), labels.astype(np.int64)


def _to_frame(points: np.ndarray, up_axis: str) -> np.ndarray:
    points = points.astype(np.float32)
    if up_axis == 'z':
        # A quarter turn about x: right-handed stays right-handed, what was up (z) becomes y.
        points = np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)
    points -= points.mean(axis=1, keepdims=True)
    return points / np.linalg.norm(points, axis=2).max(axis=1)[:, None, None]


def encoder_and_config(args: argparse.Namespace) -> tuple[nn.Module | None, dict[str, Any]]:
    """The encoder to score (None with ``--config``) and the plain config that builds it anew."""
    if args.checkpoint:
        encoder = load_encoder(args.checkpoint)
        return encoder, copy.deepcopy(encoder.cfg)
    config = load_config(args.config)
    if 'encoder' not in config.get('model', {}):
        raise ConfigError(f'{args.config} has no model.encoder.')
    return None, config.model.encoder.to_dict()


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All scores, JSON-able."""
    data = read_shapes(args.data, args.up_axis, args.num_points)
    train, test, duplicates = data['train'], data['test'], data['duplicates']
    subsets = None
    if args.without_duplicates:
        if duplicates is None:
            raise ConfigError(f'{args.data} has no dup_test, so duplicates cannot be left out.')
        test = (test[0][~duplicates], test[1][~duplicates])
    elif duplicates is not None:
        subsets = {'without duplicates': ~duplicates}
    encoder, config = encoder_and_config(args)
    protocol = replace(protocol_named(args.protocol), num_points=args.num_points)
    result = compare_with_controls(
        encoder,
        lambda: ENCODERS.build(copy.deepcopy(config)),
        train,
        test,
        protocol,
        subsets=subsets,
        batch_size=args.batch_size,
        device=args.device,
    )
    return {
        'data': os.path.basename(args.data),
        'encoder': args.checkpoint or args.config,
        'duplicates_left_out': bool(args.without_duplicates),
        **result,
    }


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--data', required=True, help='npz of labelled shapes')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--checkpoint', help='pre-training checkpoint whose encoder is scored')
    source.add_argument('--config', help='config whose model.encoder is scored at random initialisation only')
    parser.add_argument('--up-axis', choices=('z', 'y'), default='z', help='vertical axis of the file')
    parser.add_argument('--protocol', default='cv', help='by name, docs/tasks/probing.md')
    parser.add_argument('--num-points', type=int, default=1024, help='points of each shape')
    parser.add_argument('--without-duplicates', action='store_true', help='leave out test shapes that are in train')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--json', metavar='OUT', help='write all numbers there')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    register_all_modules()
    args = parse_args()
    result = measure(args)
    left_out = ', duplicates left out' if result['duplicates_left_out'] else ''
    print(comparison_table(f'{result["data"]}{left_out}', result))
    if args.json:
        atomic_write(json.dumps(result, indent=1).encode(), args.json)


if __name__ == '__main__':
    sys.exit(run(main))
