"""From tokens to one vector a cloud."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from mmpt.structures import Tokens

__all__ = ['pool_tokens']


def pool_tokens(tokens: Tokens, parts: Sequence[str]) -> Tensor:
    """Concatenate the named parts of :meth:`Tokens.pools <mmpt.structures.Tokens.pools>`.

    Args:
        tokens (Tokens): of B clouds.
        parts (Sequence[str]): for example ``('cls', 'max')``; parts joined by a plus are summed (``'max+mean'``).

    Returns:
        Tensor: (B, C * len(parts)).

    Raises:
        KeyError: the encoder has no such global token.
    """
    offered = tokens.pools()
    terms = [part.split('+') for part in parts]
    missing = [name for part in terms for name in part if name not in offered]
    if missing:
        raise KeyError(
            f'pooling asks for {missing}, the encoder offers {sorted(offered)}: build it with that token '
            '(cls_token=True), or change the pooling in the config.'
        )
    return torch.cat([reduce(torch.add, [offered[name] for name in part]) for part in terms], dim=1)
