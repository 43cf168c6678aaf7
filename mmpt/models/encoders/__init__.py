"""Encoders of points and of images."""

from .image import TimmImageEncoder
from .point_transformer import PointTransformer

__all__ = ['PointTransformer', 'TimmImageEncoder']
