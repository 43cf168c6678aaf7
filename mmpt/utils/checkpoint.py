"""The one loader for all checkpoints: a file from a stranger is data, never a program.

mmengine's own loader allows ``getattr`` and falls back to plain unpickling, its downloads do the same, and its resume
executes the config text in the file. Importing this module puts ours in the place of all of them.
"""

from __future__ import annotations

import errno
import logging
import os
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .errors import CheckpointError
from .families import family_hint

__all__ = [
    'TRANSFERRED',
    'Match',
    'geometry_differences',
    'latest_checkpoint',
    'load_checkpoint',
    'match_state_dict',
    'model_state',
    'require_match',
    'trust_checkpoints',
    'warn_about_geometry',
]

#: What a labelled task's data should have in common with those of the pre-training.
TRANSFERRED = ('up_axis', 'normalize', 'num_points')
_GEOMETRY = (*TRANSFERRED, 'variant')
_trusted = False


def trust_checkpoints(trust: bool = True) -> None:
    """Let every checkpoint that this process reads run code; what ``--trust-checkpoint`` does."""
    global _trusted
    _trusted = trust


def _allowed() -> list[Any]:
    """What a checkpoint may contain beside tensors and plain values: the log history and arrays of numbers."""
    # numpy 2 moved it; pickles of either version name the place where they were written.
    core = np._core if hasattr(np, '_core') else np.core
    numbers = '?bBhHiIlLqQefdUS'
    return [
        HistoryBuffer,
        np.ndarray,
        np.dtype,
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        (core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
        (_statistic, 'builtins.getattr'),
        *{type(np.dtype(code)) for code in numbers},
    ]


def _statistic(owner: Any, name: str) -> Any:
    """Stands in for ``getattr``, with which mmengine's log history names its four statistics in every checkpoint."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(f'GLOBAL builtins.getattr was not an allowed global by default: {name}')
    return getattr(HistoryBuffer, name)


def load_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint without running anything that is in it.

    Args:
        path (str | Path): a file, or an http(s) address.
        map_location (Any): as in ``torch.load``.

    Returns:
        dict[str, Any]: the checkpoint; ``meta['config']``, which mmengine would execute, is gone.
    """
    if re.match(r'https?://', str(path)):
        path = _download(str(path))
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(f'Checkpoint {path} does not exist.')
    try:
        with torch.serialization.safe_globals(_allowed()):
            checkpoint = torch.load(path, map_location=map_location, weights_only=not _trusted)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise CheckpointError(_refusal(path, error)) from error
    except OSError as error:
        # What torch's reader of zip files says of most files that are cut off; all else is the system's to say.
        if error.errno != errno.EINVAL:
            raise
        raise CheckpointError(f'{path} is not a complete checkpoint: the end of the file is missing.') from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} is not a checkpoint: it holds a {type(checkpoint).__name__}, not a dictionary.')
    if isinstance(checkpoint.get('meta'), dict):
        checkpoint['meta'].pop('config', None)
    return checkpoint


def _refusal(path: Path, error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError) or 'TorchScript' in str(error):
        found = re.search(r'GLOBAL (\S+)', str(error))
        what = f' ({found[1].rstrip(".")})' if found else ''
        return (
            f'{path} holds more than numbers{what} and could run code, so it was not read; '
            'if you know who made it, add --trust-checkpoint.'
        )
    said = ' '.join(str(error).split())[:200] or 'the file is empty or ends too soon.'
    return f'{path} is not a complete checkpoint: {said}'


def _download(url: str) -> str:
    folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(folder, os.path.basename(url.split('?')[0]))
    if is_main_process() and not os.path.isfile(path):
        os.makedirs(folder, exist_ok=True)
        digest = re.search(r'-([a-f0-9]{8,})\.', os.path.basename(path))
        torch.hub.download_url_to_file(url, path, hash_prefix=digest[1] if digest else None)
    barrier()
    return path


def load_from_file(filename: str, map_location: Any = None, **_: Any) -> dict[str, Any]:
    """What mmengine calls for a path or an http(s) address."""
    return load_checkpoint(filename, map_location)


def load_from_elsewhere(filename: str, map_location: Any = None, **_: Any) -> dict[str, Any]:
    """What mmengine calls for its other schemes, each of which would unpickle what it finds."""
    raise CheckpointError(f'{filename} cannot be read: give a file or an http(s) address.')


for _prefix in list(CheckpointLoader._schemes):
    _loader = load_from_file if _prefix in ('', 'http://', 'https://') else load_from_elsewhere
    CheckpointLoader.register_scheme(_prefix, _loader, force=True)


def latest_checkpoint(folder: str | Path) -> str | None:
    """The checkpoint that the pointer file of a work dir names, also after the folder was moved.

    Args:
        folder (str | Path): a work dir.

    Returns:
        str | None: its path, None where nothing was saved yet.
    """
    pointer = Path(folder) / 'last_checkpoint'
    if not pointer.is_file():
        return None
    named = Path(pointer.read_text().strip())
    for path in (Path(folder) / named.name, named):
        if path.is_file():
            return str(path)
    raise CheckpointError(f'{pointer} names {named}, which does not exist; give --resume a path.')


class Match(NamedTuple):
    """How the keys of a checkpoint and of a model agree.

    Attributes:
        matched (list[str]): in both, with one shape.
        missing (list[str]): in the model only.
        unexpected (list[str]): in the checkpoint only.
        reshaped (list[str]): in both, with different shapes.
    """

    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]

    def __str__(self) -> str:
        counts = f'{len(self.matched)} matched, {len(self.missing)} missing, {len(self.unexpected)} unexpected'
        counts += f', {len(self.reshaped)} of another shape' if self.reshaped else ''
        odd = (self.missing + self.unexpected + self.reshaped)[:1]
        return f'{counts} (such as {odd[0]})' if odd else counts


def match_state_dict(model: nn.Module, state: Mapping[str, Any]) -> Match:
    """Compare the keys and shapes of a state dict with those of a model."""
    own = model.state_dict()
    both = [key for key in own if key in state]
    fits = {key: isinstance(state[key], Tensor) and state[key].shape == own[key].shape for key in both}
    return Match(
        matched=[key for key in both if fits[key]],
        missing=[key for key in own if key not in state],
        unexpected=[key for key in state if key not in own],
        reshaped=[key for key in both if not fits[key]],
    )


def require_match(model: nn.Module, state: Mapping[str, Any], path: str | Path) -> Match:
    """Stop unless a state dict is exactly that of the model."""
    match = match_state_dict(model, state)
    if match.missing or match.unexpected or match.reshaped:
        raise CheckpointError(
            f'{path} is a checkpoint of another architecture than {type(model).__name__} of this config: {match}. '
            f'{family_hint(state)}'
        )
    return match


def model_state(checkpoint: Mapping[str, Any], average: bool = True) -> tuple[dict[str, Tensor], bool]:
    """The weights in a checkpoint.

    Args:
        checkpoint (Mapping[str, Any]): what ``load_checkpoint`` returned.
        average (bool): take the moving average of those weights that have one.

    Returns:
        tuple[dict[str, Tensor], bool]: the state dict, and whether it holds averaged weights.
    """
    state = {re.sub(r'^module\.', '', key): value for key, value in checkpoint.get('state_dict', checkpoint).items()}
    averages = checkpoint.get('ema_state_dict') if average else None
    return {**state, **(averages or {})}, bool(averages)


def geometry_differences(
    checkpoint: Mapping[str, Any], metainfo: Mapping[str, Any], keys: Sequence[str] = _GEOMETRY
) -> list[str]:
    """Where a data set differs from the one a checkpoint was trained on, as far as both say what they are.

    Args:
        checkpoint (Mapping[str, Any]): what ``load_checkpoint`` returned.
        metainfo (Mapping[str, Any]): of the data set.
        keys (Sequence[str]): of ``metainfo``; by default axis, normalisation, variant and points.

    Returns:
        list[str]: a sentence for each difference.
    """
    trained = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    return [
        f'The checkpoint was trained on data with {key}={trained[key]!r}, this data set has {key}={metainfo[key]!r}.'
        for key in keys
        if key in trained and key in metainfo and trained[key] != metainfo[key]
    ]


def warn_about_geometry(
    checkpoint: Mapping[str, Any], metainfo: Mapping[str, Any], keys: Sequence[str] = _GEOMETRY
) -> None:
    """Log what :func:`geometry_differences` finds."""
    for sentence in geometry_differences(checkpoint, metainfo, keys):
        print_log(sentence, logger='current', level=logging.WARNING)
