"""What the converters of origin checkpoints share: prefixes, tables of names, what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from mmpt.utils.errors import CheckpointError

__all__ = ['Converted', 'Family', 'count_blocks', 'linear', 'rename', 'strip']

# Where an origin keeps its weights in a file: the first of these that is a dictionary of tensors.
_CONTAINERS = ('base_model', 'model', 'state_dict', 'model_state_dict', 'net', 'ema_state_dict')
_PREFIXES = ('module.', '_orig_mod.')


class Converted(NamedTuple):
    """An origin's checkpoint in our names.

    Attributes:
        family (str): where it came from, such as ``'point_mae'``.
        model_cfg (dict): plain config of the parts that were found, by their argument of the model that trains them:
            ``{'type': 'MultiTaskPretrainer', 'encoder': {...}, 'decoder': {...}, 'heads': {...}}`` and the like.
        state (dict[str, Tensor]): weights under our keys, such as ``encoder.norm.weight``.
        unused (dict[str, str]): keys of the origin that nothing of ours takes, and why.
        assumed (dict[str, str]): arguments that no weight tells, and the rule by which they were set.
    """

    family: str
    model_cfg: dict[str, Any]
    state: dict[str, Tensor]
    unused: dict[str, str] = {}
    assumed: dict[str, str] = {}


class Family(NamedTuple):
    """How to know and to convert the checkpoints of one origin.

    Attributes:
        signs (tuple[str, ...]): regular expressions; each is matched from the start by some key of such a checkpoint.
        convert (Callable): (state dict without prefixes, **choices) -> :class:`Converted`.
    """

    signs: tuple[str, ...]
    convert: Callable[..., Converted]


def strip(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict of a file, without container and without the prefixes of wrappers.

    Args:
        checkpoint (Mapping): what the safe loader returned.

    Returns:
        dict[str, Tensor]: key to tensor.

    Raises:
        CheckpointError: there are no tensors in it.
    """
    for name in _CONTAINERS:
        inner = checkpoint.get(name)
        if isinstance(inner, Mapping) and any(isinstance(value, Tensor) for value in inner.values()):
            checkpoint = inner
            break
    state = {key: value for key, value in checkpoint.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if not state:
        raise CheckpointError(
            f'The checkpoint holds no tensors, expected a state dict, alone or under {", ".join(_CONTAINERS)}; its '
            f'keys are {", ".join(map(str, list(checkpoint)[:8]))}.'
        )
    # Wrappers may be wrapped, in either order.
    while prefix := next((prefix for prefix in _PREFIXES if all(key.startswith(prefix) for key in state)), ''):
        state = {key[len(prefix) :]: value for key, value in state.items()}
    return state


def rename(
    state: Mapping[str, Tensor], table: Sequence[tuple[str, str | None]], unused: Mapping[str, str] | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    r"""Translate keys by the first rule that matches them as a whole.

    Args:
        state (Mapping[str, Tensor]): origin keys.
        table (Sequence[tuple[str, str | None]]): regular expression and replacement (groups as ``\1``).
        unused (Mapping[str, str] | None): regular expressions of keys that nothing of ours takes, and why.

    Returns:
        tuple[dict[str, Tensor], dict[str, str]]: our keys, convolutions of width 1 as linear layers; and what was left.
    """
    ours: dict[str, Tensor] = {}
    left: dict[str, str] = {}
    for key, value in state.items():
        for pattern, replacement in table:
            if re.fullmatch(pattern, key):
                ours[re.sub(pattern, replacement or '', key)] = linear(value)
                break
        else:
            reasons = [why for pattern, why in (unused or {}).items() if re.fullmatch(pattern, key)]
            left[key] = reasons[0] if reasons else 'no part of ours has it'
    return ours, left


def linear(weight: Tensor) -> Tensor:
    """A convolution of width 1, (out, in, 1) or (out, in, 1, 1), as the linear layer that it is; others as they are."""
    if weight.dim() in (3, 4) and all(size == 1 for size in weight.shape[2:]):
        return weight.flatten(1)
    return weight


def count_blocks(keys: Iterable[str], prefix: str) -> int:
    """How many numbered modules stand behind a prefix."""
    found = {int(match[1]) for key in keys if (match := re.match(rf'{re.escape(prefix)}([0-9]+)\.', key))}
    return max(found, default=-1) + 1
