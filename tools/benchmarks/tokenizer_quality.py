"""Scores a tokenizer on held-out shapes, beside the same tokenizer before any training.

    python tools/benchmarks/tokenizer_quality.py configs/mmpt/quickstart_tokenizer.py CHECKPOINT

Shapes are those of the config's val loop. Perplexity is that of the hard ids; the Chamfer distance (l1, unit sphere) is
that of patches decoded from hard ids. Baselines put one training patch in place of every patch: on average over 64 of
them, and the best of 256. The untrained tokenizer meets the same patches.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.data import DataLoader

from mmpt.evaluation import TokenizerProbe
from mmpt.registry import DATASETS, MODELS
from mmpt.utils.checkpoint import load_checkpoint, model_state, require_match
from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError, run
from mmpt.utils.io import atomic_write
from mmpt.utils.setup import register_all_modules

_BASELINES = ('templates', 'best_template')


@torch.no_grad()
def score(model: nn.Module, loader: DataLoader) -> dict[str, float]:
    """The scores of ``TokenizerProbe`` over a loader."""
    probe = TokenizerProbe()
    probe.dataset_meta = None
    model.eval()
    for batch in loader:
        samples = model(**model.data_preprocessor(batch), mode='predict')
        probe.process(batch, [sample.to_dict() for sample in samples])
    return {name.split('/')[-1]: value for name, value in probe.evaluate(len(loader.dataset)).items()}


def measure(config: str, checkpoint: str, options: dict[str, Any] | None = None) -> dict[str, dict[str, float]]:
    """Scores of the trained tokenizer and of an untrained one on the config's val shapes."""
    cfg = load_config(config, options)
    if 'tokenizer' not in cfg.get('model', {}) or cfg.get('val_dataloader') is None:
        raise ConfigError(f'{config} trains no tokenizer with a val loop.')
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    loader = DataLoader(dataset, batch_size=cfg.val_dataloader.batch_size, collate_fn=pseudo_collate)
    state, _ = model_state(load_checkpoint(checkpoint))
    result = {}
    for name in ('trained', 'untrained'):
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        require_match(model, state, checkpoint)
        wanted = state if name == 'trained' else {key: state[key] for key in _BASELINES}
        model.load_state_dict(wanted, strict=name == 'trained')
        result[name] = score(model, loader)
    return result


def table(result: dict[str, dict[str, float]]) -> str:
    """One line a tokenizer."""
    lines = [
        f'{"":12}{"perplexity":>12}{"ids used":>10}{"Chamfer l1":>12}{"one patch":>12}{"best patch":>12}{"ratio":>8}'
    ]
    for name, row in result.items():
        ratio = row['chamfer'] / row['chamfer_baseline']
        lines.append(
            f'{name:12}{row["perplexity"]:12.1f}{row["used"]:10.0f}{row["chamfer"]:12.4f}'
            f'{row["chamfer_baseline"]:12.4f}{row["chamfer_best_baseline"]:12.4f}{ratio:8.2f}'
        )
    return '\n'.join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('config', help='the config that trained it')
    parser.add_argument('checkpoint')
    parser.add_argument('--json', metavar='OUT', help='write all numbers there')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    register_all_modules()
    with DefaultScope.overwrite_default_scope('mmpt'):
        result = measure(args.config, args.checkpoint)
    print(table(result))
    if args.json:
        atomic_write(json.dumps(result, indent=1).encode(), args.json)


if __name__ == '__main__':
    sys.exit(run(main))
