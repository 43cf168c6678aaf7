"""The rows of tools/benchmarks/evidence.py: which tasks, as changes of one MMPT config."""

from __future__ import annotations

import os
import pprint
from pathlib import Path
from typing import Any, NamedTuple

from mmpt.models.pretrainers import MultiTaskPretrainer
from mmpt.registry import MODELS
from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError
from mmpt.utils.io import atomic_write

__all__ = ['ROWS', 'Row', 'build', 'write_config']

_TASKS = ('tlr', 'plr', 'mcl')


class Row(NamedTuple):
    """Which tasks a run trains with.

    Attributes:
        title (str): for tables.
        tasks (tuple[str, ...]): heads that stay.
        mcl (dict[str, float]): change of the head of that name.
    """

    title: str
    tasks: tuple[str, ...]
    mcl: dict[str, float] = {}

    def heads(self) -> dict[str, Any]:
        """Change of ``model.heads``."""
        left_out: dict[str, Any] = {task: None for task in _TASKS if task not in self.tasks}
        return {**left_out, **({'mcl': self.mcl} if self.mcl else {})}


ROWS = {
    'tlr': Row('TLR', ('tlr',)),
    'plr': Row('PLR', ('plr',)),
    'mcl_intra': Row('MCL-intra', ('mcl',), {'cross': 0.0}),
    'mcl_cross': Row('MCL-cross', ('mcl',), {'intra': 0.0}),
    'tlr_plr': Row('TLR + PLR', ('tlr', 'plr')),
    'tlr_mcl': Row('TLR + MCL', ('tlr', 'mcl')),
    'plr_mcl': Row('PLR + MCL', ('plr', 'mcl')),
    'all': Row('all three', _TASKS),
}
"""Name -> row; MCL is both contrasts where nothing else is said."""


def write_config(name: str, base: Path, folder: Path) -> Path:
    """Write a row as a child of the base config, to be trained like any config.

    Args:
        name (str): of the row.
        base (Path): the config with all three tasks.
        folder (Path): where to.

    Returns:
        Path: ``<folder>/<name>.py``.

    Raises:
        ConfigError: the base has other tasks than the three.
    """
    cfg = load_config(base)
    heads = cfg.get('model', {}).get('heads', {})
    if sorted(head for head in heads if heads[head]) != sorted(_TASKS):
        raise ConfigError(f'{base} has the heads {", ".join(heads) or "of no task"}, not tlr, plr and mcl.')
    row = ROWS[name]
    lines = [
        f'# The row "{row.title}" of tools/benchmarks/evidence.py: the config below with other tasks left out.',
        f'_base_ = {os.path.relpath(base, folder)!r}',
    ]
    if row.heads():
        lines.append(f'model = dict(heads={row.heads()!r})')
    if 'plr' not in row.tasks and cfg.get('custom_hooks'):
        hooks = [hook.to_dict() for hook in cfg.custom_hooks if hook.type != 'ReconstructionPictures']
        lines.append(f'custom_hooks = {pprint.pformat(hooks)}  # without reconstructions there is nothing to draw')
    path = folder / f'{name}.py'
    text = '\n'.join([*lines, ''])
    if not path.is_file() or path.read_text() != text:
        atomic_write(text.encode(), path)
    return path


def build(config: Path) -> MultiTaskPretrainer:
    """The model of a row: whatever none of its heads reads is gone already.

    Raises:
        ConfigError: it is no multi-task pre-trainer.
    """
    model = MODELS.build(load_config(config).model)
    if not isinstance(model, MultiTaskPretrainer):
        raise ConfigError(f'{config} builds {type(model).__name__}; rows are changes of a MultiTaskPretrainer.')
    return model
