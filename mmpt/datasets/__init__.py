"""Data sets: one dictionary per sample, taken through a pipeline of transforms."""

from . import transforms
from .base import PointCloudDataset
from .concat import ConcatDataset
from .npz import NpzShapes
from .shapenet import ShapeNet
from .synthetic.dataset import SyntheticShapes

__all__ = ['ConcatDataset', 'NpzShapes', 'PointCloudDataset', 'ShapeNet', 'SyntheticShapes', 'transforms']
