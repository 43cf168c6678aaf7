"""Masking of patches."""

from .masking import BlockMasking, RandomMasking, complement, mask_from_scores
from .scales import back_project, finer_scale

__all__ = [
    'BlockMasking',
    'RandomMasking',
    'back_project',
    'complement',
    'finer_scale',
    'mask_from_scores',
]
