"""A checkpoint's kNN and linear SVM on damaged test shapes, beside the clean ones and three untrained encoders.

    python tools/benchmarks/robustness.py --checkpoint pretrain.pth --data ../shared/data/modelnet10_vox.npz
    python tools/benchmarks/robustness.py --checkpoint pretrain.pth --smoke            few shapes

Classifiers are fitted on clean training shapes, under protocol cv, with one C for each encoder; only the test shapes
are damaged: mmpt/evaluation/corruptions.py, five severities each, the same damaged shapes for every encoder. What is
left of a shape is brought to the unit sphere again, as whoever gets such a scan would have to. A control is the better
of raw and calibrated batch statistics for every figure on its own. Measured are the generated classes in the val loop
of --config and every --data. Written to --out: robustness.json, robustness.md, a picture of the curves of each data
set, and corruptions.png, which shows what the severities are. Run again after an interruption, it goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools' / 'benchmarks')]

import real_shapes  # noqa: E402
from _robustness_page import draw_corruptions, draw_curves, markdown, slug  # noqa: E402
from _scoring import SMOKE_DATA, add_data_options, check_data, config_digest, val_shapes  # noqa: E402
from _trainings import State, cores  # noqa: E402

from mmpt.apis import load_encoder  # noqa: E402
from mmpt.evaluation import (  # noqa: E402
    CORRUPTIONS,
    Protocol,
    calibrate_batchnorm,
    correct_items,
    corrupt,
    extract_features,
    protocol_named,
    spread,
    untrained_encoder,
)
from mmpt.evaluation.protocols import probe  # noqa: E402
from mmpt.registry import ENCODERS  # noqa: E402
from mmpt.utils.collect_env import collect_env  # noqa: E402
from mmpt.utils.config import load_config, parse_options  # noqa: E402
from mmpt.utils.errors import run  # noqa: E402
from mmpt.utils.io import atomic_write  # noqa: E402
from mmpt.utils.progress import Progress  # noqa: E402
from mmpt.utils.setup import register_all_modules  # noqa: E402

SEEDS = (0, 1, 2)
SEVERITIES = (1, 2, 3, 4, 5)
# The name of all test shapes together.
ALL = 'all'
# Of a smoke run: five folds need five training shapes of every class.
_SMOKE_TRAIN, _SMOKE_TEST = 5, 1


class Shapes(NamedTuple):
    """One labelled data set.

    Attributes:
        key (str): says which it is, in the file of scores.
        train (tuple): points (N, P, 3) float32 and labels (N,).
        test (tuple): likewise, M shapes.
        subsets (dict): which test shapes are reported together: name -> (M,) bool, all of them first.
    """

    key: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    subsets: dict[str, np.ndarray]


def read_sets(args: argparse.Namespace) -> dict[str, Shapes]:
    """The generated classes, and every npz."""
    options = parse_options(SMOKE_DATA[1:]) if args.smoke else None
    generated = val_shapes(args.config, options)
    key = hashlib.sha256(config_digest(load_config(args.config).val_dataloader).encode()).hexdigest()[:16]
    sets = {'generated classes': Shapes(key, generated['train'], generated['test'], _subsets(generated['test'], None))}
    for path in args.data:
        read = real_shapes.read_shapes(str(path), args.up_axis, args.num_points)
        key = f'{path.name} {path.stat().st_size} {args.up_axis} {args.num_points}'
        sets[path.stem] = Shapes(key, read['train'], read['test'], _subsets(read['test'], read['duplicates']))
    return {name: _few(shapes) for name, shapes in sets.items()} if args.smoke else sets


def _subsets(test: tuple[np.ndarray, np.ndarray], duplicates: np.ndarray | None) -> dict[str, np.ndarray]:
    everything = {ALL: np.ones(len(test[1]), bool)}
    return everything if duplicates is None else {**everything, 'without duplicates': ~duplicates}


def _few(shapes: Shapes) -> Shapes:
    """Of each class the first few."""
    rows = []
    for (_, labels), count in ((shapes.train, _SMOKE_TRAIN), (shapes.test, _SMOKE_TEST)):
        rows.append(np.sort(np.concatenate([np.flatnonzero(labels == k)[:count] for k in np.unique(labels)])))
    train, test = (tuple(array[chosen] for array in part) for part, chosen in zip(shapes[1:3], rows))
    return Shapes(shapes.key, train, test, {name: mask[rows[1]] for name, mask in shapes.subsets.items()})


class Scores:
    """What is known of every encoder on every damage; computes what is not."""

    def __init__(self, state: State, protocol: Protocol, device: str, progress: Progress) -> None:
        self.state, self.protocol, self.device, self.progress = state, protocol, device, progress
        self.passed = 0

    def of(self, who: str, shapes: Shapes, build: Callable[[], torch.nn.Module | None]) -> dict[str, Any] | None:
        """Clean scores and, for every corruption, those of each severity; None where there is no such encoder.

        Args:
            who (str): the encoder's name, in the file of scores.
            shapes (Shapes): the data.
            build (Callable): makes the encoder when it is needed.

        Returns:
            dict: ``clean`` or a corruption -> list, one for each severity, of ``knn/<subset>``, ``svm/<subset>`` and
            ``svm_C``.
        """
        keys = {what: f'{shapes.key}/{who}/{what}' for what in ('clean', *CORRUPTIONS)}
        known = self.state.values
        missing = [what for what, key in keys.items() if key not in known]
        self._skip(shapes, len(keys) - len(missing))
        if missing:
            encoder = build()
            train_x = None if encoder is None else self._features(encoder, shapes.train[0])
            for what in missing:
                found = None
                if encoder is not None:
                    found = self._score(encoder, train_x, shapes, what, known.get(keys['clean']))
                self.state.put(**{keys[what]: found})
        return None if known[keys['clean']] is None else {what: known[key] for what, key in keys.items()}

    def _score(self, encoder: Any, train_x: Any, shapes: Shapes, what: str, clean: Any) -> list[dict[str, float]]:
        points, labels = shapes.test
        severities = (0,) if what == 'clean' else SEVERITIES
        damaged = (points if severity == 0 else corrupt(points, what, severity) for severity in severities)
        test_x = np.concatenate([self._features(encoder, cloud) for cloud in damaged])
        # C is chosen once, on the training part; with it the same classifier meets all severities at once.
        protocol = self.protocol if clean is None else replace(self.protocol, C=clean[0]['svm_C'])
        all_labels = np.tile(labels, len(severities))
        result = probe(train_x, shapes.train[1], test_x, all_labels, protocol)
        found = []
        for place in range(len(severities)):
            rows = np.arange(len(all_labels)) // len(labels) == place
            masks = {name: rows & np.tile(mask, len(severities)) for name, mask in shapes.subsets.items()}
            correct = correct_items(result, all_labels, masks)
            named = {name: float(right.mean()) for name, right in correct.items() if '/' in name}
            found.append({**named, 'svm_C': result.svm.C})
        return found

    def _skip(self, shapes: Shapes, known: int) -> None:
        """Count what an earlier run has done; rates are those of this one."""
        parts = [len(shapes.test[1])] + [len(shapes.test[1]) * len(SEVERITIES)] * len(CORRUPTIONS)
        done = sum(parts[:known]) + (len(shapes.train[1]) if known == len(parts) else 0)
        self.passed += done
        self.progress.before += done

    def _features(self, encoder: Any, points: np.ndarray) -> np.ndarray:
        features = extract_features(encoder, points, device=self.device, pooling=self.protocol.pooling)
        self.passed += len(points)
        self.progress.show(self.passed)
        return features


def encoders(checkpoint: str, config: dict[str, Any], shapes: Shapes, device: str) -> Iterator[tuple[str, Callable]]:
    """Names of the encoders with how to build each: that of the checkpoint, and the controls of ``random_controls``."""
    yield 'encoder', lambda: load_encoder(checkpoint)

    def control(seed: int, calibrated: bool) -> torch.nn.Module | None:
        encoder = untrained_encoder(lambda: ENCODERS.build(copy.deepcopy(config)), seed)
        if calibrated and not calibrate_batchnorm(encoder, shapes.train[0], device=device):
            return None
        return encoder

    for seed in SEEDS:
        for calibrated in (False, True):
            name = f'control {seed} {"calibrated" if calibrated else "raw"}'
            yield name, lambda seed=seed, calibrated=calibrated: control(seed, calibrated)


def summary(found: dict[str, dict[str, Any] | None], subset: str) -> dict[str, Any]:
    """The encoder's figures, and mean, lowest and highest of its controls, as robustness.json has them.

    Args:
        found (dict): name of an encoder -> what :meth:`Scores.of` gives.
        subset (str): of the test shapes.
    """
    names = {measure: f'{measure}/{subset}' for measure in ('knn', 'svm')}

    def row(what: str, place: int, who: str) -> dict[str, float]:
        scores = {name: one[what][place] for name, one in found.items() if one is not None}
        if who == 'encoder':
            return {measure: scores['encoder'][name] for measure, name in names.items()}
        values: dict[str, float] = {}
        for measure, name in names.items():
            best = [
                max(one[name] for key, one in scores.items() if key.startswith(f'control {seed} ')) for seed in SEEDS
            ]
            over = spread(best)
            values |= {measure: over.mean, f'{measure}_min': over.min, f'{measure}_max': over.max}
        return values

    def rows(what: str, who: str) -> list[dict[str, Any]]:
        kind = CORRUPTIONS[what]
        return [
            {'severity': severity, 'value': kind.values[place], 'unit': kind.unit, **row(what, place, who)}
            for place, severity in enumerate(SEVERITIES)
        ]

    return {
        who: {'clean': row('clean', 0, who), **{what: rows(what, who) for what in CORRUPTIONS}}
        for who in ('encoder', 'control')
    }


def measure(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Shapes]]:
    """All scores, JSON-able, and the shapes."""
    device = 'cuda' if args.device == 'auto' and torch.cuda.is_available() else 'cpu'
    encoder = load_encoder(args.checkpoint)
    config = copy.deepcopy(encoder.cfg)
    sets = read_sets(args)
    for shapes in sets.values():
        # An encoder of many patches cannot read few points: better said now than after an hour.
        extract_features(encoder, corrupt(shapes.test[0][:1], 'fewer points', SEVERITIES[-1]))
    digest = hashlib.sha256(Path(args.checkpoint).read_bytes()).hexdigest()
    kinds = [(name, kind.values) for name, kind in CORRUPTIONS.items()]
    protocol = protocol_named('cv')
    folder = args.out / 'robustness'
    if args.fresh and folder.exists():
        shutil.rmtree(folder)
    state = State(folder, f'{digest} {kinds} {protocol} {device} {args.smoke}')
    each = 1 + 2 * len(SEEDS)
    clouds = [len(s.train[1]) + len(s.test[1]) * (1 + len(CORRUPTIONS) * len(SEVERITIES)) for s in sets.values()]
    scores = Scores(state, protocol, device, Progress('robustness', each * sum(clouds), 'clouds'))
    data: dict[str, Any] = {}
    lines: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    for name, shapes in sets.items():
        scores.protocol = replace(protocol, num_points=shapes.test[0].shape[1])
        found = {who: scores.of(who, shapes, build) for who, build in encoders(args.checkpoint, config, shapes, device)}
        for subset, mask in shapes.subsets.items():
            title = name if subset == ALL else f'{name}, {subset}'
            data[title], lines[title] = summary(found, subset), scores.protocol.describe()
            counts[title] = {'train': len(shapes.train[1]), 'test': int(mask.sum())}
    scores.progress.close()
    result = {
        'command': args.command,
        'checkpoint': str(args.checkpoint),
        'smoke': args.smoke,
        'environment': collect_env(),
        'severities': list(SEVERITIES),
        'shapes': counts,
        'protocols': lines,
        'data': data,
    }
    return result, sets


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--checkpoint', required=True, help='pre-training checkpoint whose encoder is scored')
    parser.add_argument(
        '--config',
        default=str(ROOT / 'configs' / 'mmpt' / 'quickstart_pretrain.py'),
        help='whose val loop gives the generated shapes; default %(default)s',
    )
    add_data_options(parser)
    parser.add_argument('--out', type=Path, default=ROOT / 'work_dirs' / 'evidence', help='folder; default %(default)s')
    parser.add_argument('--threads', type=int, default=cores(), help='all cores')
    parser.add_argument('--device', default='auto', choices=['auto', 'cpu'], help='cpu: leave a GPU alone')
    parser.add_argument('--fresh', action='store_true', help='forget the scores that --out holds')
    parser.add_argument('--smoke', action='store_true', help='few shapes')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/benchmarks/robustness.py', *(sys.argv[1:] if argv is None else argv)])
    args.data = check_data(parser, args.data)
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure, print, write."""
    args = parse_args(argv)
    register_all_modules()
    torch.set_num_threads(args.threads)
    result, sets = measure(args)
    draw_corruptions(args.out / 'corruptions.png', {name: shapes.test[0] for name, shapes in sets.items()})
    for name, part in result['data'].items():
        draw_curves(args.out / f'robustness-{slug(name)}.png', name, part)
    text = markdown(result)
    atomic_write(json.dumps(result, indent=1).encode(), args.out / 'robustness.json')
    atomic_write(text.encode(), args.out / 'robustness.md')
    print(text)


if __name__ == '__main__':
    sys.exit(run(main))
