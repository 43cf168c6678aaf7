"""Task heads."""

from .align import AlignHead
from .base import Head
from .caption_contrast import CaptionContrastHead
from .completion import CompletionHead
from .detection import DetectionHead
from .distillation import DistillationHead
from .graph_segmentation import GraphSegmentationHead
from .momentum_contrast import MomentumContrastHead
from .multi_modal_contrast import MultiModalContrastHead
from .point_reconstruction import PointReconstructionHead
from .segmentation import SegmentationHead
from .token_reconstruction import TokenReconstructionHead, TokenRegressionHead

__all__ = [
    'CompletionHead',
    'AlignHead',
    'CaptionContrastHead',
    'DetectionHead',
    'DistillationHead',
    'GraphSegmentationHead',
    'Head',
    'MomentumContrastHead',
    'MultiModalContrastHead',
    'PointReconstructionHead',
    'SegmentationHead',
    'TokenReconstructionHead',
    'TokenRegressionHead',
]
