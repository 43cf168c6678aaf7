"""What the tools that train and score share: val shapes as arrays, an encoder beside its controls, names of configs."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Options of a smoke run: few generated shapes, all of the 27 classes.
SMOKE_DATA = [
    'train_dataloader.dataset.size=256',
    'val_dataloader.dataset.datasets.0.size=216',
    'val_dataloader.dataset.datasets.1.size=108',
]


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a tool that scores on files of labelled shapes."""
    parser.add_argument('--data', nargs='+', type=Path, default=[], help='npz of labelled shapes (docs/data.md)')
    parser.add_argument('--up-axis', choices=('z', 'y'), default='z', help='vertical axis of --data')
    parser.add_argument('--num-points', type=int, default=1024, help='points of each shape of --data')


def check_data(parser: argparse.ArgumentParser, paths: Sequence[Path]) -> list[Path]:
    """What ``--data`` names, as absolute paths; ends the tool with a sentence where a file is not there.

    Their stems are the names of the sets in all tables, so that no two may be alike.
    """
    for path in paths:
        if not path.is_file():
            parser.error(f'--data {path} is not there; it is an npz of labelled shapes (docs/data.md).')
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        parser.error(f'--data names its sets by their files, and two of {", ".join(names)} are the same.')
    return [path.resolve() for path in paths]


def config_digest(cfg: Any) -> str:
    """Sha256 of a config as it is after its bases, whatever its formatting."""
    return hashlib.sha256(json.dumps(cfg.to_dict(), sort_keys=True, default=str).encode()).hexdigest()


def last_checkpoint(folder: Path) -> str:
    """The file that the last checkpoint pointer names."""
    from mmpt.utils.checkpoint import latest_checkpoint

    return str(latest_checkpoint(str(folder)))


def val_shapes(
    config: str | Path, options: dict[str, Any] | None = None, per_class: int | None = None
) -> dict[str, Any]:
    """Points (N, P, 3) and labels (N,) of the two parts, ``train`` and ``test``, of a config's val loop.

    ``per_class``: of each class in each part only the first so many.
    """
    import numpy as np

    from mmpt.registry import DATASETS
    from mmpt.utils.config import load_config

    cfg = load_config(config, options)
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    parts: dict[str, Any] = {'train': ([], []), 'test': ([], [])}
    for part in dataset.datasets:
        count: Counter[int] = Counter()
        for index in range(len(part)):
            if per_class is not None:
                count[part.label(index)] += 1
                if count[part.label(index)] > per_class:
                    continue
            sample = part[index]
            points, labels = parts[sample['data_samples'].split]
            points.append(sample['inputs']['points'].numpy())
            labels.append(int(sample['data_samples'].label))
    return {name: (np.stack(points), np.array(labels)) for name, (points, labels) in parts.items()}


def score_on(shapes: dict[str, Any], checkpoint: str, device: str = 'cpu') -> dict[str, Any]:
    """The encoder of a checkpoint on the shapes of :func:`val_shapes`, beside three untrained ones."""
    from mmpt.apis import load_encoder
    from mmpt.evaluation import Protocol, compare_with_controls
    from mmpt.registry import ENCODERS

    encoder = load_encoder(checkpoint)
    build = copy.deepcopy(encoder.cfg)
    return compare_with_controls(
        encoder,
        lambda: ENCODERS.build(copy.deepcopy(build)),
        shapes['train'],
        shapes['test'],
        Protocol(num_points=shapes['train'][0].shape[1]),
        device=device,
    )
