"""Encoders of points and of images."""

from .dgcnn import DGCNN
from .hierarchical import HierarchicalPointTransformer
from .image import TimmImageEncoder
from .point_transformer import PointTransformer
from .pointnet import PointNet
from .recon import ReConTransformer

__all__ = [
    'DGCNN',
    'HierarchicalPointTransformer',
    'PointNet',
    'PointTransformer',
    'ReConTransformer',
    'TimmImageEncoder',
]
