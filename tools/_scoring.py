"""What the tools that train and score share: val shapes as arrays, an encoder beside its controls, names of configs."""

from __future__ import annotations

import copy
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Options of a smoke run: few generated shapes, all of the 27 classes.
SMOKE_DATA = [
    'train_dataloader.dataset.size=256',
    'val_dataloader.dataset.datasets.0.size=216',
    'val_dataloader.dataset.datasets.1.size=108',
]


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
