"""Models: encoders, tokenizers, heads, losses and the pretrainers that wire them."""

from . import (
    balancers,
    data_preprocessors,
    decoders,
    downstream,
    encoders,
    heads,
    losses,
    masking,
    necks,
    pretrainers,
    teachers,
    tokenizers,
)

__all__ = [
    'balancers',
    'data_preprocessors',
    'decoders',
    'downstream',
    'encoders',
    'heads',
    'losses',
    'masking',
    'necks',
    'pretrainers',
    'teachers',
    'tokenizers',
]
