"""Masking of patches."""

from .masking import BlockMasking, RandomMasking, complement, mask_from_scores

__all__ = ['BlockMasking', 'RandomMasking', 'complement', 'mask_from_scores']
