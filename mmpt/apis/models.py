"""Models by the name of the config that describes them."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope

import mmpt
from mmpt.registry import MODELS
from mmpt.utils.checkpoint import load_checkpoint, model_state, require_match
from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError

__all__ = ['get_model', 'list_models']

_CONFIGS = Path(mmpt.__file__).resolve().parents[1] / 'configs'


def list_models(pattern: str = '*') -> list[str]:
    """Names of the configs of this checkout.

    Args:
        pattern (str): shell pattern, for example ``'*pretrain*'``.

    Returns:
        list[str]: such as ``'mmpt/pretrain_synthetic'``, sorted.
    """
    names = (path.relative_to(_CONFIGS).with_suffix('').as_posix() for path in _CONFIGS.rglob('*.py'))
    return sorted(name for name in names if not name.startswith('_base_') and fnmatch.fnmatch(name, pattern))


def get_model(
    config: str | Path, checkpoint: str | Path | None = None, device: str | torch.device = 'cpu'
) -> BaseModel:
    """Build the whole model of a config.

    Args:
        config (str | Path): a name of :func:`list_models`, or a config file.
        checkpoint (str | Path | None): fills it, with moving averages where there are some; it must be of exactly this
            architecture. None leaves the random initialisation.
        device (str | torch.device): where the model goes.

    Returns:
        BaseModel: in evaluation mode.

    Raises:
        ConfigError: no such config.
        CheckpointError: a checkpoint that cannot be read, or of another architecture.
    """
    path = Path(config)
    if path.suffix != '.py':
        path = _CONFIGS / f'{config}.py'
        if not path.is_file():
            raise ConfigError(f'There is no config {str(config)!r}; there are {", ".join(list_models()) or "none"}.')
    cfg = load_config(path)
    # mmengine's BaseModel builds the preprocessor through mmengine's own registry, which finds ours by the scope alone.
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build(cfg.model)
    if checkpoint is not None:
        state, _ = model_state(load_checkpoint(checkpoint))
        require_match(model, state, checkpoint)
        model.load_state_dict(state)
    return model.to(device).eval()
