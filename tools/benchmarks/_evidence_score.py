"""Scores one encoder for tools/benchmarks/evidence.py, in a process of its own beside trainings.

Each set of shapes gives one file, <out>/<name>.npz: on which test items kNN and SVM are right, and what was measured.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

import real_shapes  # noqa: E402
from _scoring import SMOKE_DATA, add_data_options, val_shapes  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402
from torch import nn  # noqa: E402

from mmpt.apis import load_encoder  # noqa: E402
from mmpt.evaluation import correct_items, probe_encoder, protocol_named, random_controls  # noqa: E402
from mmpt.registry import ENCODERS  # noqa: E402
from mmpt.utils.config import load_config, parse_options  # noqa: E402
from mmpt.utils.errors import run  # noqa: E402
from mmpt.utils.io import atomic_write  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402

__all__ = ['GENERATED', 'WITHOUT', 'Scored', 'add_score_options', 'missing', 'read', 'sets']

GENERATED = 'generated classes'
#: Behind the name of a set, its test items that do not occur in its training part.
WITHOUT = 'without duplicates'


class Scored(NamedTuple):
    """One set of shapes.

    Attributes:
        about (dict): ``identity``, ``protocol`` and, by name of the set, ``shapes`` and ``scores`` (of ``encoder``, or
            of ``raw``, ``calibrated`` and ``best``).
        correct (dict[str, ndarray]): ``<set>/<metric>`` -> (items,) bool.
    """

    about: dict[str, Any]
    correct: dict[str, NDArray[np.bool_]]


def sets(args: argparse.Namespace) -> dict[str, str]:
    """Names of the sets of shapes -> what a score must say to be of them."""
    smoke = ' smoke' if args.smoke else ''
    real = {
        path.stem: f'{path.name} {path.stat().st_size} {args.up_axis} {args.num_points} cv{smoke}' for path in args.data
    }
    return {GENERATED: f'val_dataloader of {args.digest} cv{smoke}', **real}


def missing(folder: Path, args: argparse.Namespace) -> list[str]:
    """Names of the sets that are not scored yet."""
    return [name for name, identity in sets(args).items() if _identity(folder / f'{name}.npz') != identity]


def _identity(path: Path) -> str | None:
    return read(path).about['identity'] if path.is_file() else None


def read(path: Path) -> Scored:
    """What a scoring wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Scored(json.loads(str(arrays.pop('about'))), arrays)


def _shapes(name: str, args: argparse.Namespace) -> tuple[Any, Any, dict[str, NDArray[np.bool_]]]:
    """Both parts, and the subsets of the test part."""
    if name == GENERATED:
        found = val_shapes(args.config, parse_options(SMOKE_DATA[1:]) if args.smoke else None)
        return found['train'], found['test'], {}
    (path,) = [path for path in args.data if path.stem == name]
    found = real_shapes.read_shapes(str(path), args.up_axis, args.num_points)
    subsets = {} if found['duplicates'] is None else {WITHOUT: ~found['duplicates']}
    return found['train'], found['test'], subsets


def score(name: str, encoder: nn.Module | None, args: argparse.Namespace) -> Scored:
    """Score an encoder, or one at random initialisation where there is none."""
    train, test, subsets = _shapes(name, args)
    protocol = replace(protocol_named('cv'), num_points=train[0].shape[1])
    if encoder is None:
        plain = load_config(args.config).model.encoder.to_dict()
        (row,) = random_controls(
            lambda: ENCODERS.build(copy.deepcopy(plain)),
            train,
            test,
            protocol,
            [args.control],
            subsets=subsets,
            device=args.device,
            keep_items=True,
        )
        correct = row.pop('correct')
        scores = {state: row[state] for state in ('raw', 'calibrated', 'best')}
    else:
        probed = probe_encoder(encoder, train, test, protocol, device=args.device)
        correct = correct_items(probed, test[1], subsets)
        accuracies = {metric: float(right.mean()) for metric, right in correct.items()}
        scores = {'encoder': {**accuracies, 'svm_C': probed.svm.C}}
    shapes = {name: len(test[1]), **{f'{name}, {subset}': int(rows.sum()) for subset, rows in subsets.items()}}
    about = {
        'identity': sets(args)[name],
        'shapes': {one: {'train': len(train[1]), 'test': count} for one, count in shapes.items()},
        'protocol': protocol.describe(),
        'scores': {
            one: {state: values and _of_set(values, one, name) for state, values in scores.items()} for one in shapes
        },
    }
    return Scored(about, {_key(metric, name): right for metric, right in correct.items()})


def _key(metric: str, name: str) -> str:
    metric, _, subset = metric.partition('/')
    return f'{name}, {subset}/{metric}' if subset else f'{name}/{metric}'


def _of_set(values: dict[str, float], one: str, name: str) -> dict[str, float]:
    """The scores of one set under plain names; C is that of the whole, because there is one classifier."""
    found = {
        metric.partition('/')[0]: value
        for metric, value in values.items()
        if metric != 'svm_C' and _key(metric, name).rpartition('/')[0] == one
    }
    return {**found, 'svm_C': values['svm_C']} if 'svm_C' in values else found


def add_score_options(parser: argparse.ArgumentParser) -> None:
    """What evidence.py hands on."""
    add_data_options(parser)
    parser.add_argument('--smoke', action='store_true', help='12 updates a run, on few shapes')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--checkpoint', help='whose encoder is scored')
    source.add_argument('--control', type=int, metavar='SEED', help='score an untrained encoder of this seed')
    parser.add_argument('--config', required=True, help='with the encoder and the generated shapes')
    parser.add_argument('--digest', required=True, help='of that config')
    parser.add_argument('--out', type=Path, required=True, help='folder')
    parser.add_argument('--device', default='cpu')
    add_score_options(parser)
    return parser.parse_args()


def main() -> None:
    """Score what is missing."""
    args = parse_args()
    register_all_modules()
    with DefaultScope.overwrite_default_scope('mmpt'):
        encoder = load_encoder(args.checkpoint) if args.checkpoint else None
        for name in missing(args.out, args):
            found = score(name, encoder, args)
            buffer = io.BytesIO()
            np.savez_compressed(buffer, about=np.array(json.dumps(found.about)), **found.correct)
            atomic_write(buffer.getvalue(), args.out / f'{name}.npz')


if __name__ == '__main__':
    sys.exit(run(main))
