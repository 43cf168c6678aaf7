"""Parameters of a config's model by part, and the floating-point operations of its encoder and of a training step.

    python tools/analysis_tools/model_stats.py configs/mmpt/pretrain_synthetic.py

Counted by torch's FlopCounterMode on the CPU at the config's own sizes, on random clouds and pictures: no data and no
weights are needed. It sees products of matrices, attention and convolutions (2 for a multiplication and an addition),
not distances, sorting and norms. Figures are of one sample. A training step is counted of pre-trainers, by the value
that a head first asks for; of other models the parts of a forward pass.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmpt.registry import MODELS
from mmpt.structures import PointDataSample
from mmpt.utils.config import load_config, parse_options
from mmpt.utils.errors import ConfigError, run
from mmpt.utils.io import atomic_write

# Batch norm needs two samples.
_BATCH = 2


def build(cfg: Any) -> nn.Module:
    """The model with random weights; a picture teacher's too, which would be downloaded and would keep features."""
    for neck in (cfg.model.get('necks') or {}).values():
        if neck and neck.type == 'TimmTeacher':
            neck.update(pretrained=False, cache_dir=None, chunk=_BATCH)
    with DefaultScope.overwrite_default_scope('mmpt'):
        return MODELS.build(cfg.model)


def parameters(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Part -> (all, those that learn), counted by tensor; heads and necks one by one."""
    counts: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():
        part = name.split('.')
        part = '.'.join(part[:2]) if part[0] in ('heads', 'necks') else part[0]
        everything, learning = counts.get(part, (0, 0))
        counts[part] = everything + parameter.numel(), learning + parameter.numel() * parameter.requires_grad
    return counts


def random_inputs(model: nn.Module, cfg: Any, num_points: int | None) -> dict[str, Any]:
    """A batch of contract 2 with the clouds and pictures that the config speaks of."""
    count = num_points or cfg.get('num_points')
    if count is None:
        raise ConfigError('The config does not say how many points a cloud has (num_points): add --num-points.')
    channels = getattr(model.encoder, 'in_channels', 3) if hasattr(model, 'encoder') else 3
    views = (view['source'] for view in getattr(getattr(model, 'views', None), 'config', {}).values())
    inputs = {key: list(torch.randn(_BATCH, count, channels)) for key in {'points', *views} if key.startswith('points')}
    if cfg.get('image_size'):
        size = cfg.image_size
        inputs['images'] = list(torch.zeros(_BATCH, 1, 3, size, size, dtype=torch.uint8))
        inputs['has_image'] = [torch.tensor([True])] * _BATCH
    return model.data_preprocessor({'inputs': inputs, 'data_samples': None})['inputs']


def encoder_flops(model: nn.Module, inputs: dict[str, Any]) -> int:
    """Of one whole cloud, as in evaluation."""
    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.encoder(inputs['points'])
    return counter.get_total_flops() // _BATCH


def step_flops(model: nn.Module, inputs: dict[str, Any]) -> tuple[dict[str, int], int]:
    """Forward pass of a training step by value and head, and the whole backward pass; of one sample."""
    model.train()
    # Not a step in which norms of gradients and other monitors are measured.
    model.draws.set(seed=0, step=1, rank=0, world_size=1)
    step, anchors = model.step(inputs, [PointDataSample() for _ in range(_BATCH)])
    spent: Counter[str] = Counter()
    within = [0]
    counter = FlopCounterMode(display=False)

    def around(name: str, compute: Callable[[], Any]) -> Any:
        before = counter.get_total_flops()
        within.append(0)
        value = compute()
        whole = counter.get_total_flops() - before
        # What this value asked for is counted under its own name.
        spent[name] += whole - within.pop()
        within[-1] += whole
        return value

    step.watch(around)
    with counter:
        tasks = {}
        for name in model.order:
            tasks[name], provided = around(f'head {name}', partial(model.heads[name].loss, step))
            for item, value in provided.items():
                step.put(item, value)
        forward = counter.get_total_flops()
        model.parse_losses({'tasks': tasks, 'anchors': anchors})[0].backward()
        backward = counter.get_total_flops() - forward
    return {name: flops // _BATCH for name, flops in spent.items() if flops}, backward // _BATCH


def forward_flops(model: nn.Module, inputs: dict[str, Any]) -> dict[str, int]:
    """Forward pass in evaluation by the model's own parts; of one sample."""
    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(inputs, None, mode='tensor')
    counts, root = counter.get_flop_counts(), type(model).__name__
    parts = {name: sum(counts.get(f'{root}.{name}', {}).values()) for name, _ in model.named_children()}
    parts['the rest'] = counter.get_total_flops() - sum(parts.values())
    return {name: flops // _BATCH for name, flops in parts.items() if flops}


def measure(cfg: Any, num_points: int | None = None) -> dict[str, Any]:
    """All counts, JSON-able."""
    torch.manual_seed(0)
    model = build(cfg)
    inputs = random_inputs(model, cfg, num_points)
    result: dict[str, Any] = {'points': inputs['points'].shape[1], 'parameters': parameters(model)}
    if hasattr(model, 'encoder'):
        result['encoder_flops'] = encoder_flops(model, inputs)
    if hasattr(model, 'step'):
        result['forward_flops'], result['backward_flops'] = step_flops(model, inputs)
    else:
        result['forward_flops'] = forward_flops(model, inputs)
    return result


def table(result: dict[str, Any]) -> str:
    """Both tables as text."""
    lines = [f'{"parameters":32}{"all":>14}{"learning":>14}']
    lines += [f'{name:32}{both[0]:14,}{both[1]:14,}' for name, both in result['parameters'].items()]
    totals = [sum(column) for column in zip(*result['parameters'].values())]
    lines += [f'{"together":32}{totals[0]:14,}{totals[1]:14,}', '']
    lines.append(f'GFLOPs of one cloud of {result["points"]} points')
    if 'encoder_flops' in result:
        lines.append(f'{"encoder, whole cloud":32}{result["encoder_flops"] / 1e9:14.3f}')
    lines += [f'  {name:30}{flops / 1e9:14.3f}' for name, flops in result['forward_flops'].items()]
    lines.append(f'{"forward pass":32}{sum(result["forward_flops"].values()) / 1e9:14.3f}')
    if 'backward_flops' in result:
        lines.append(f'{"backward pass":32}{result["backward_flops"] / 1e9:14.3f}')
    return '\n'.join(lines)


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--num-points', type=int, help='points of a cloud, where the config does not say')
    parser.add_argument('--json', type=Path, metavar='OUT', help='write all counts there')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    result = measure(load_config(args.config, parse_options(args.cfg_options)), args.num_points)
    print(table(result))
    if args.json:
        atomic_write(json.dumps(result, indent=1).encode(), args.json)


if __name__ == '__main__':
    sys.exit(run(main))
