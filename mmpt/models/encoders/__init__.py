"""Encoders of points and of images."""

from .dgcnn import DGCNN
from .image import TimmImageEncoder
from .point_transformer import PointTransformer
from .pointnet import PointNet
from .recon import ReConTransformer

__all__ = ['DGCNN', 'PointNet', 'PointTransformer', 'ReConTransformer', 'TimmImageEncoder']
