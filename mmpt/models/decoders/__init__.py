"""Decoders of masked tokens."""

from .masked_decoder import MaskedDecoder

__all__ = ['MaskedDecoder']
