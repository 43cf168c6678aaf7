"""Plain containers; they import nothing from mmpt."""

from .data_sample import PointDataSample
from .patches import Mask, Patches, Reconstruction, Tokens

__all__ = ['Mask', 'Patches', 'PointDataSample', 'Reconstruction', 'Tokens']
