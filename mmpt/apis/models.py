"""Models by the name of the config that describes them."""

from __future__ import annotations

import difflib
import fnmatch
from pathlib import Path

import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch import Tensor

import mmpt
from mmpt.registry import MODELS
from mmpt.utils.checkpoint import match_state_dict, model_state, require_match
from mmpt.utils.config import load_config
from mmpt.utils.errors import CheckpointError, ConfigError
from mmpt.utils.families import family_hint, nearest_family

from .origins import convert
from .origins.files import read_checkpoint

__all__ = ['get_model', 'list_models']

_CONFIGS = Path(mmpt.__file__).resolve().parents[1] / 'configs'


def list_models(pattern: str = '*') -> list[str]:
    """Names of the configs of this checkout.

    Args:
        pattern (str): shell pattern over names and over methods, in any case, with ``-`` or ``_``: ``'*pretrain*'``,
            ``'*mae*'``, ``'point_mae/*'``, ``'Point-MAE'``.

    Returns:
        list[str]: such as ``'mmpt/pretrain_synthetic'``, sorted.
    """
    wanted = _plain(pattern)
    names = (path.relative_to(_CONFIGS).with_suffix('').as_posix() for path in _CONFIGS.rglob('*.py'))
    return sorted(
        name
        for name in names
        if not name.startswith('_base_')
        and any(fnmatch.fnmatchcase(_plain(part), wanted) for part in (name, name.partition('/')[0]))
    )


def get_model(
    config: str | Path,
    checkpoint: str | Path | None = None,
    device: str | torch.device = 'cpu',
    *,
    trust: bool = False,
    origin: str | None = None,
) -> BaseModel:
    """Build the whole model of a config.

    Args:
        config (str | Path): a name of :func:`list_models`, or a config file.
        checkpoint (str | Path | None): fills it, with moving averages where there are some; it must be of exactly this
            architecture. One of ours, one that tools/model_converters/convert.py wrote, or the file of an origin that
            holds all that the config builds. None leaves the random initialisation.
        device (str | torch.device): where the model goes.
        trust (bool): let the checkpoint run code; needed for none of mmpt.
        origin (str | None): the family of an origin's file; None for the one that its keys look like.

    Returns:
        BaseModel: in evaluation mode.

    Raises:
        ConfigError: no such config.
        CheckpointError: a checkpoint that cannot be read, or of another architecture.
    """
    path = _find(config)
    cfg = load_config(path)
    # mmengine's BaseModel builds the preprocessor through mmengine's own registry, which finds ours by the scope alone.
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build(cfg.model)
    if checkpoint is not None:
        state = _weights(model, checkpoint, trust, origin)
        require_match(model, state, checkpoint)
        model.load_state_dict(state)
    return model.to(device).eval()


def _find(config: str | Path) -> Path:
    path = Path(config)
    if path.suffix == '.py':
        return path
    path = _CONFIGS / f'{config}.py'
    if path.is_file():
        return path
    names = list_models()
    if not names:
        raise ConfigError(
            f'There is no config {str(config)!r}: {_CONFIGS} holds none; install mmpt from its checkout with pip '
            'install -e, or give the path of a config file.'
        )
    raise ConfigError(f'There is no config {str(config)!r}; {_nearest(str(config), names)}')


def _nearest(name: str, names: list[str]) -> str:
    plain = {_plain(known): known for known in reversed(names)}
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.6)
    # A method alone, or a slip in it: all that the method has.
    methods = {_plain(known.partition('/')[0]): known.partition('/')[0] for known in names}
    method = difflib.get_close_matches(_plain(name).partition('/')[0], methods, n=1, cutoff=0.75)
    found = [plain[key] for key in near]
    found += [known for known in names if method and known.startswith(f'{methods[method[0]]}/')]
    if found:
        return f'did you mean {", ".join(dict.fromkeys(found))}?'
    return f'there are {", ".join(names)}.'


def _plain(name: str) -> str:
    return name.lower().replace('-', '_').removesuffix('.py').removeprefix('configs/')


def _weights(model: BaseModel, path: str | Path, trust: bool, origin: str | None) -> dict[str, Tensor]:
    checkpoint = read_checkpoint(path, trust)
    state, _ = model_state(checkpoint)
    if origin is None and match_state_dict(model, state).matched:
        return state
    heads = getattr(model, 'encoder_cfg', {}).get('num_heads')  # no weight tells it; the config does
    try:
        converted = convert(checkpoint, origin, **({'num_heads': heads} if heads else {}))
    except CheckpointError as error:
        why = f'It cannot be converted: {error}' if nearest_family(state) is None else family_hint(state)
        raise CheckpointError(
            f'{path} is a checkpoint of another architecture than {type(model).__name__} of this config: no tensor of '
            f'it has a name and a shape of the model. {why}'
        ) from error
    match = match_state_dict(model, converted.state)
    if match.missing or match.unexpected or match.reshaped:
        raise CheckpointError(
            f'{path} is a checkpoint of {converted.family} that does not fit this config exactly: {match}. '
            'mmpt.load_encoder takes its encoder alone.'
        )
    return converted.state
