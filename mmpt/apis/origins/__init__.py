"""Checkpoints of the codebases that mmpt's methods come from, translated into our names.

One file a family; sizes are read from the shapes of the weights, so that tiny and full-size files convert alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmpt.utils.errors import CheckpointError

from . import crosspoint, point_bert, point_bert_dvae, point_m2ae, point_mae, recon
from .base import Converted, strip
from .files import build_converted, describe, read_checkpoint, save_converted

__all__ = ['FAMILIES', 'Converted', 'convert', 'convert_file', 'detect', 'strip']

#: family -> how to know and convert it.
FAMILIES = {
    'point_mae': point_mae.FAMILY,
    'point_bert_dvae': point_bert_dvae.FAMILY,
    'recon': recon.FAMILY,
    'crosspoint': crosspoint.FAMILY,
    'point_bert': point_bert.FAMILY,
    'point_m2ae': point_m2ae.FAMILY,
}


def detect(keys: Iterable[str]) -> list[tuple[str, float]]:
    """Which origins the keys look like.

    Args:
        keys (Iterable[str]): of a state dict without prefixes.

    Returns:
        list[tuple[str, float]]: family and share of its signs that were found, the likeliest first, of equal ones that
        with more signs; no zeros.
    """
    names = list(keys)
    shares = {
        family: sum(any(re.match(sign, name) for name in names) for sign in found.signs) / len(found.signs)
        for family, found in FAMILIES.items()
    }
    found = [(family, share) for family, share in shares.items() if share]
    return sorted(found, key=lambda row: (-row[1], -len(FAMILIES[row[0]].signs)))


def convert(checkpoint: Mapping[str, Any], family: str | None = None, **choices: Any) -> Converted:
    """Translate an origin's checkpoint.

    Args:
        checkpoint (Mapping): what the safe loader returned.
        family (str | None): one of :data:`FAMILIES`; None for the one that the keys look like.
        **choices: what no weight tells, such as ``num_groups`` and ``num_heads``; see the family's ``convert``.

    Returns:
        Converted: our keys and the config of what they fill.

    Raises:
        CheckpointError: the keys look like another family, or like none; or a choice that the family does not have.
    """
    if family is not None and family not in FAMILIES:
        raise CheckpointError(f'There is no converter from {family!r}; there are {", ".join(FAMILIES)}.')
    state = strip(checkpoint)
    found = detect(state)
    complete = [name for name, share in found if share == 1]
    # A family whose keys are those of another and more has more signs: ReCon's files hold all that Point-MAE's do.
    complete = [name for name in complete if len(FAMILIES[name].signs) == len(FAMILIES[complete[0]].signs)]
    if family is None and not complete:
        near = f'the nearest is {found[0][0]}, of whose parts some are missing' if found else 'not even in part'
        raise CheckpointError(
            f'The keys ({", ".join(list(state)[:3])}, ...) look like no origin that can be converted '
            f'({", ".join(FAMILIES)}): {near}.'
        )
    if family is not None and family not in complete:
        looks = f'they look like {found[0][0]}' if found else f'they look like none of {", ".join(FAMILIES)}'
        raise CheckpointError(f'The keys ({", ".join(list(state)[:3])}, ...) are not those of {family}: {looks}.')
    chosen = family or complete[0]
    try:
        return FAMILIES[chosen].convert(state, **choices)
    except KeyError as error:
        raise CheckpointError(f'The checkpoint looks like {chosen} but lacks {error}; is the file complete?') from error
    except TypeError as error:
        raise CheckpointError(f'{chosen} cannot be converted so: {error}.') from error


def convert_file(
    source: str | Path, target: str | Path, family: str | None = None, *, trust: bool = False, **choices: Any
) -> str:
    """Translate a file, build and fill the model that it describes, and write it as a checkpoint of ours.

    Args:
        source (str | Path): the origin's checkpoint, a file or an http(s) address.
        target (str | Path): ``*.pth``.
        family (str | None): see :func:`convert`.
        trust (bool): let the file run code.
        **choices: see :func:`convert`.

    Returns:
        str: the match report.
    """
    converted = convert(read_checkpoint(source, trust), family, **choices)
    model, match = build_converted(converted, source)
    save_converted(converted, target, source)
    return f'{describe(converted, match, model)}\nwritten: {target}'
