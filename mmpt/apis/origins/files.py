"""From an origin's file to one of ours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import nn

from mmpt.registry import MODELS
from mmpt.utils.checkpoint import Match, load_checkpoint, match_state_dict, trust_checkpoints
from mmpt.utils.errors import CheckpointError
from mmpt.utils.io import atomic_write

from .base import Converted

__all__ = ['build_converted', 'describe', 'read_checkpoint', 'save_converted']

_LISTED = 8


def read_checkpoint(path: str | Path, trust: bool = False) -> dict[str, Any]:
    """Read a checkpoint; ``trust`` lets this one file run code."""
    if not trust:
        return load_checkpoint(path)
    trust_checkpoints()
    try:
        return load_checkpoint(path)
    finally:
        trust_checkpoints(False)


def build_converted(converted: Converted, path: str | Path) -> tuple[nn.Module, Match]:
    """Build the model that a converted checkpoint describes and fill it.

    Raises:
        CheckpointError: weights of the checkpoint do not fit what they describe.
    """
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build(dict(converted.model_cfg))
    match = match_state_dict(model, converted.state)
    if match.unexpected or match.reshaped:
        raise CheckpointError(f'{path} does not fit {type(model).__name__} as its weights describe it: {match}.')
    model.load_state_dict(converted.state, strict=False)
    return model.eval(), match


def save_converted(converted: Converted, path: str | Path, source: str | Path) -> None:
    """Write a converted checkpoint: weights, what the encoder and the model are, where it came from."""
    if Path(path).suffix not in ('.pth', '.pt'):
        raise CheckpointError(f'A checkpoint is written as .pth, not to {path}.')
    cfg = converted.model_cfg
    meta = {'model_cfg': cfg, 'origin': {'family': converted.family, 'file': Path(source).name}}
    if 'encoder' in cfg:
        meta['encoder_cfg'] = cfg['encoder']
    buffer = io.BytesIO()
    torch.save({'state_dict': converted.state, 'meta': meta}, buffer)
    atomic_write(buffer.getvalue(), path)


def describe(converted: Converted, match: Match, model: nn.Module) -> str:
    """The match report: what was filled, what stays as initialised, what nothing of ours takes, what was assumed."""
    total = sum(value.numel() for value in converted.state.values())
    matched = f'{len(match.matched)} tensors ({total / 1e6:.2f} M numbers) matched'
    lines = [f'{converted.family} -> {type(model).__name__}: {matched}']
    own = {key: value for key, value in dict(model.named_parameters()).items() if key in match.missing}
    for what, keys in (
        ('stay as initialised', sorted(own)),
        ('are not used', [f'{key} ({why})' for key, why in converted.unused.items()]),
    ):
        more = f' and {len(keys) - _LISTED} more' if len(keys) > _LISTED else ''
        lines.append(f'  {len(keys)} {what}' + (f': {", ".join(keys[:_LISTED])}{more}' if keys else ''))
    for name, rule in converted.assumed.items():
        lines.append(f'  assumed: {name} = {_find(converted.model_cfg, name)} ({rule})')
    return '\n'.join(lines)


def _find(cfg: dict[str, Any], name: str) -> Any:
    """The first value under a name, however deep."""
    if name in cfg:
        value = cfg[name]
        return value.get('type', value) if isinstance(value, dict) else value
    found = (_find(value, name) for value in cfg.values() if isinstance(value, dict))
    return next((value for value in found if value is not None), None)
