"""An encoder from a checkpoint, without the config it was trained by."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmpt.registry import ENCODERS
from mmpt.utils.checkpoint import Match, load_checkpoint, match_state_dict, model_state, trust_checkpoints
from mmpt.utils.config import check_cfg_types
from mmpt.utils.errors import CheckpointError

__all__ = ['load_encoder']

_PREFIX = 'encoder.'


def load_encoder(
    path: str | Path,
    *,
    prefer_ema: bool = True,
    min_match: float = 1.0,
    device: str | torch.device = 'cpu',
    trust: bool = False,
) -> nn.Module:
    """Rebuild the encoder of a checkpoint and fill it.

    An encoder of your own is found when the module that registers it has been imported before.

    Args:
        path (str | Path): a file, or an http(s) address.
        prefer_ema (bool): take the moving averages where the checkpoint has them.
        min_match (float): share of the encoder's tensors that must be in the checkpoint with their shape; those that
            are not stay as they were initialised.
        device (str | torch.device): where the encoder goes.
        trust (bool): let the file run code; needed for no checkpoint of mmpt.

    Returns:
        nn.Module: the encoder in evaluation mode; ``encoder(points)`` takes (B, N, 3 + F) points and gives ``Tokens``.
        ``encoder.cfg`` is the plain config that builds it anew.

    Raises:
        CheckpointError: no such file, one that would run code, one that does not say what its encoder is or says
            anything but a registered point encoder, or fewer matching tensors than ``min_match``.
    """
    checkpoint = _read(path, trust)
    meta = checkpoint.get('meta')
    cfg = meta.get('encoder_cfg') if isinstance(meta, dict) else None
    if not isinstance(cfg, dict):
        raise CheckpointError(
            f"{path} does not say what its encoder is (meta['encoder_cfg'] is missing), so it cannot be rebuilt; build "
            'the model with mmpt.apis.get_model(config, checkpoint) instead.'
        )
    encoder = _build(cfg, path)
    weights, averaged = model_state(checkpoint, average=prefer_ema)
    state = {key[len(_PREFIX) :]: value for key, value in weights.items() if key.startswith(_PREFIX)}
    match = match_state_dict(encoder, state)
    which = 'moving averages' if averaged else 'plain weights'
    print(f'{type(encoder).__name__} from {path} ({which}): {match}.')
    _require_share(encoder, match, min_match, path)
    encoder.load_state_dict({key: state[key] for key in match.matched}, strict=False)
    encoder.cfg = copy.deepcopy(cfg)
    return encoder.to(device).eval()


def _read(path: str | Path, trust: bool) -> dict[str, Any]:
    if not trust:
        return load_checkpoint(path)
    trust_checkpoints()
    try:
        return load_checkpoint(path)
    finally:
        # The trust was for this file.
        trust_checkpoints(False)


def _build(cfg: dict[str, Any], path: str | Path) -> nn.Module:
    try:
        check_cfg_types(cfg, [ENCODERS])
    except CheckpointError as error:
        raise CheckpointError(
            f'{path}: {error} If it is an encoder of your own, import the module that registers it first.'
        ) from error
    registered = ENCODERS.module_dict.get(str(cfg.get('type')).removeprefix('mmpt.'))
    # Every point encoder says whether it can be masked. What does not, such as the image encoders, may take arguments
    # that read further files.
    if not hasattr(registered, 'supports_masking'):
        raise CheckpointError(f'{path} describes {cfg.get("type")!r}, which is not an encoder of points.')
    try:
        return ENCODERS.build(copy.deepcopy(cfg))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f'The encoder that {path} describes cannot be built: {error}') from error


def _require_share(encoder: nn.Module, match: Match, min_match: float, path: str | Path) -> None:
    total = len(encoder.state_dict())
    if len(match.matched) < min_match * total:
        raise CheckpointError(
            f'{path} fills {len(match.matched)} of the {total} tensors of {type(encoder).__name__}, fewer than '
            f'min_match={min_match:g} asks for: {match}.'
        )
