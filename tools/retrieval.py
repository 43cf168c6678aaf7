"""Finds shapes by pictures, pictures by shapes and shapes by shapes, beside the same model before any training.

    python tools/retrieval.py CONFIG CHECKPOINT
    python tools/retrieval.py CONFIG CHECKPOINT --data configs/_base_/datasets/pairs_shapenet.py

CONFIG is that of the pre-training: its joint space is what its contrast of clouds and pictures was trained in (MMPT,
CrossPoint, Cross-BERT). Measured is the test part of the val loop of --data, whose samples carry a picture; its
training part gives the pictures that stand for a class. Written are retrieval.json, retrieval.md and retrieval.png.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, Dataset

from mmpt.apis import get_model
from mmpt.evaluation import RetrievalProtocol, Spread, control_spread, embed_pairs, pair_controls, score_pairs
from mmpt.registry import DATASETS
from mmpt.utils.checkpoint import load_checkpoint, warn_about_geometry
from mmpt.utils.config import load_config, parse_options
from mmpt.utils.errors import ConfigError, run
from mmpt.utils.io import atomic_write
from mmpt.utils.setup import register_all_modules
from mmpt.visualization import RetrievalRow, save_retrieval

# Queries that are drawn of each direction, and hits of each.
_QUERIES, _HITS = 2, 5


class Pairs:
    """Samples with pictures, as a config's val loop has them.

    Args:
        config (str): names the data set.
        options (dict): over what it says.
        batch_size (int): about so many samples a batch; all batches are of one size, give or take one.
    """

    def __init__(self, config: str, options: dict[str, Any], batch_size: int) -> None:
        cfg = load_config(config, options)
        if cfg.get('val_dataloader') is None:
            raise ConfigError(f'{config} has no val_dataloader: give --data a config whose val loop has pictures.')
        self.dataset: Dataset = DATASETS.build(cfg.val_dataloader.dataset)
        self.metainfo = self.dataset.metainfo
        self.batch_size, self.workers = batch_size, cfg.val_dataloader.get('num_workers', 0)
        self.num_points = cfg.get('num_points')

    def batches(self, indices: Any = None) -> DataLoader:
        """Batches of all samples, or of some."""
        indices = np.arange(len(self.dataset)) if indices is None else np.asarray(indices)
        parts = np.array_split(indices, max(1, len(indices) // self.batch_size))
        sampler = [part.tolist() for part in parts]
        return DataLoader(self.dataset, batch_sampler=sampler, num_workers=self.workers, collate_fn=pseudo_collate)


def measure(
    config: str,
    checkpoint: str,
    pairs: Pairs,
    protocol: RetrievalProtocol,
    *,
    device: str = 'cpu',
    seeds: tuple[int, ...] = (0, 1, 2),
) -> tuple[dict[str, Any], list[RetrievalRow]]:
    """All scores, JSON-able, and examples to draw."""
    start = time.perf_counter()
    model = get_model(config, checkpoint, device)
    warn_about_geometry(load_checkpoint(checkpoint), pairs.metainfo)
    everything = pairs.batches()
    data = embed_pairs(model, everything)
    found = score_pairs(data, protocol)
    train, test = data.part('train'), data.part('test')
    controls = pair_controls(
        lambda: get_model(config, device=device), everything, pairs.batches(train.rows), protocol, seeds
    )
    result = {
        'config': config,
        'checkpoint': checkpoint,
        'shapes': {'train': len(train.rows), 'test': len(test.rows)},
        'protocol': protocol.to_dict(),
        'protocol_line': f'{protocol.describe()}; {pairs.num_points or "all"} points of the whole cloud, one picture',
        'scores': found.scores,
        'controls': controls,
        'control_spread': {name: value._asdict() for name, value in control_spread(controls).items()},
        'seconds': time.perf_counter() - start,
    }
    rows = [
        _example(pairs.dataset, test.rows, direction, query, order[query])
        for direction, order in found.order.items()
        for query in np.linspace(0, len(order) - 1, _QUERIES + 2).astype(int)[1:-1]
    ]
    return result, rows


def _example(dataset: Any, rows: Any, direction: str, query: int, order: Any) -> RetrievalRow:
    wanted, _, sought = direction.partition(' to ')
    asked, name, label = _show(dataset[int(rows[query])], wanted)
    shown = [_show(dataset[int(rows[hit])], sought) for hit in order[:_HITS]]
    marks = []
    for hit, (_, _, other) in zip(order, shown):
        same = label is not None and other == label
        marks.append('own' if hit == query else 'class' if same else 'other')
    return RetrievalRow(direction, asked, name, [thing for thing, _, _ in shown], [n for _, n, _ in shown], marks)


def _show(sample: dict[str, Any], what: str) -> tuple[Any, str, int | None]:
    """The picture or the cloud of a sample, its name and its class."""
    inputs, about = sample['inputs'], sample['data_samples']
    name = str(about.get('class_name', about.get('sample_id')))
    label = about.get('label')
    if what == 'shape':
        return inputs['points'][:, :3].numpy(), name, None if label is None else int(label)
    first = int(inputs['has_image'].int().argmax())
    return inputs['images'][first].permute(1, 2, 0).numpy(), name, None if label is None else int(label)


def table(result: dict[str, Any]) -> str:
    """Markdown, legible as text: each measure of the checkpoint beside its controls."""
    lines = [f'| {"measure":28} | model | control, mean +- std (lowest to highest) | gain |', f'|{"---|" * 4}']
    for name, value in result['scores'].items():
        control = Spread(**result['control_spread'][name])
        text = f'{control.mean:.3f} +- {control.std:.3f} ({control.min:.3f} to {control.max:.3f})'
        lines.append(f'| {name:28} | {value:.3f} | {text} | {value - control.mean:+.3f} |')
    return '\n'.join(lines)


def page(result: dict[str, Any], command: str) -> str:
    """What retrieval.md says."""
    shapes = result['shapes']
    return (
        f'# Retrieval\n\n`{command}`\n\n'
        f'{shapes["test"]} test shapes with a picture, {shapes["train"]} training shapes. '
        f'Controls: the same model untrained, {len(result["controls"])} seeds, the better of raw and calibrated batch '
        f'statistics.\n\n{table(result)}\n\nProtocol: {result["protocol_line"]}.\n\n![examples](retrieval.png)\n'
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='of the pre-training')
    parser.add_argument('checkpoint')
    parser.add_argument('--data', default='configs/_base_/datasets/pairs_synthetic.py', help='config with a val loop')
    parser.add_argument('--prototype-images', type=int, default=10, help='training pictures that stand for a class')
    parser.add_argument('--seed', type=int, default=0, help='of the draw of these pictures')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/retrieval'), help='folder for what is written')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what --data says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    register_all_modules()
    pairs = Pairs(args.data, parse_options(args.cfg_options), args.batch_size)
    protocol = RetrievalProtocol(prototype_images=args.prototype_images, seed=args.seed)
    result, rows = measure(args.config, args.checkpoint, pairs, protocol, device=args.device)
    result['data'] = args.data
    print(f'{table(result)}\n{result["protocol_line"]}\n{result["seconds"]:.0f} s')
    command = f'python tools/retrieval.py {args.config} {args.checkpoint} --data {args.data}'
    atomic_write(json.dumps(result, indent=1).encode(), args.out / 'retrieval.json')
    atomic_write(page(result, command).encode(), args.out / 'retrieval.md')
    save_retrieval(args.out / 'retrieval.png', rows)
    print(f'written: {args.out}/retrieval.json, .md, .png')


if __name__ == '__main__':
    sys.exit(run(main))
