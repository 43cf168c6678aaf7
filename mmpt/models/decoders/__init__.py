"""Decoders of masked tokens."""

from .hierarchical import HierarchicalDecoder
from .masked_decoder import MaskedDecoder

__all__ = ['HierarchicalDecoder', 'MaskedDecoder']
