"""Encoders of points and of images."""

from .dgcnn import DGCNN
from .image import TimmImageEncoder
from .point_transformer import PointTransformer
from .pointnet import PointNet

__all__ = ['DGCNN', 'PointNet', 'PointTransformer', 'TimmImageEncoder']
