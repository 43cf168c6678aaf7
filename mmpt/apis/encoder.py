"""An encoder from a checkpoint, without the config it was trained by."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.registry import ENCODERS
from mmpt.utils.checkpoint import Match, match_state_dict, model_state
from mmpt.utils.config import check_encoder_cfg
from mmpt.utils.errors import CheckpointError
from mmpt.utils.families import family_hint

from .models import get_model, list_models
from .origins import convert
from .origins.files import read_checkpoint

__all__ = ['load_encoder']

_PREFIX = 'encoder.'
# What no weight of an origin tells.
_CHOICES = ('num_groups', 'group_size', 'num_heads')


def load_encoder(
    path: str | Path,
    *,
    prefer_ema: bool = True,
    min_match: float = 1.0,
    device: str | torch.device = 'cpu',
    trust: bool = False,
    origin: str | None = None,
    **overrides: Any,
) -> nn.Module:
    """Rebuild the encoder of a checkpoint and fill it, and say what matched.

    It may be one of ours, one that tools/model_converters/convert.py wrote, or the file of an origin (Point-MAE,
    Point-BERT, CrossPoint, ReCon, Point-M2AE), which is then converted on the way. An encoder of your own is found when
    the module that registers it has been imported before.

    Args:
        path (str | Path): a file, an http(s) address, or a name of :func:`~mmpt.apis.list_models`, whose encoder is
            then built with random weights.
        prefer_ema (bool): take the moving averages where the checkpoint has them.
        min_match (float): share of the encoder's tensors that must be in the checkpoint with their shape; those that
            are not stay as they were initialised.
        device (str | torch.device): where the encoder goes.
        trust (bool): let the file run code; needed for no checkpoint of mmpt.
        origin (str | None): the family of an origin's file; None for the one that its keys look like.
        **overrides: arguments of the encoder over what the checkpoint says, such as ``num_groups=128``. Of an origin's
            file also those that its weights do not tell, such as ``num_heads``.

    Returns:
        nn.Module: the encoder in evaluation mode; ``encoder(points)`` takes (B, N, 3 + F) points and gives ``Tokens``.
        ``encoder.cfg`` is the plain config that builds it anew.

    Raises:
        CheckpointError: no such file, one that would run code, one that does not say what its encoder is or says
            anything but a registered point encoder, an origin's file that cannot be converted, or fewer matching
            tensors than ``min_match``.
    """
    if not Path(path).is_file() and str(path) in list_models():
        return _from_config(str(path), overrides).to(device).eval()
    checkpoint = read_checkpoint(path, trust)
    meta = checkpoint.get('meta')
    cfg = meta.get('encoder_cfg') if isinstance(meta, dict) else None
    if isinstance(cfg, dict):
        weights, averaged = model_state(checkpoint, average=prefer_ema)
        which = 'moving averages' if averaged else 'plain weights'
    else:
        cfg, weights, which = _from_origin(checkpoint, path, origin, overrides)
    cfg = {**cfg, **overrides}
    encoder = _build(cfg, path)
    state = {key[len(_PREFIX) :]: value for key, value in weights.items() if key.startswith(_PREFIX)}
    match = match_state_dict(encoder, state)
    print(f'{type(encoder).__name__} from {path} ({which}): {match}.')
    _require_share(encoder, match, min_match, path, family_hint(weights))
    encoder.load_state_dict({key: state[key] for key in match.matched}, strict=False)
    encoder.cfg = copy.deepcopy(cfg)
    return encoder.to(device).eval()


def _from_config(name: str, overrides: dict[str, Any]) -> nn.Module:
    cfg = get_model(name).encoder_cfg
    encoder = _build({**cfg, **overrides}, name)
    encoder.cfg = {**cfg, **overrides}
    print(f'{type(encoder).__name__} of {name}: random weights.')
    return encoder


def _from_origin(
    checkpoint: dict[str, Any], path: str | Path, origin: str | None, overrides: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    choices = {name: overrides[name] for name in _CHOICES if name in overrides}
    try:
        converted = convert(checkpoint, origin, **choices)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} does not say what its encoder is (meta['encoder_cfg'] is missing), and cannot be converted: "
            f'{error} If it is of a model of your own, build that with mmpt.apis.get_model(config, checkpoint).'
        ) from error
    if 'encoder' not in converted.model_cfg:
        raise CheckpointError(f'{path} is a checkpoint of {converted.family}, which holds no encoder of clouds.')
    return converted.model_cfg['encoder'], converted.state, f'converted from {converted.family}'


def _build(cfg: dict[str, Any], path: str | Path) -> nn.Module:
    check_encoder_cfg(cfg, path)
    try:
        return ENCODERS.build(copy.deepcopy(cfg))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f'The encoder that {path} describes cannot be built: {error}') from error


def _require_share(encoder: nn.Module, match: Match, min_match: float, path: str | Path, nearest: str) -> None:
    total = len(encoder.state_dict())
    if len(match.matched) < min_match * total:
        raise CheckpointError(
            f'{path} fills {len(match.matched)} of the {total} tensors of {type(encoder).__name__}, fewer than '
            f'min_match={min_match:g} asks for: {match}. {nearest}'
        )
