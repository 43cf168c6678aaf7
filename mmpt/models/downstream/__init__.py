"""Models for labelled tasks around the encoder that was pre-trained."""

from .base import DownstreamModel
from .classifier import PointClassifier
from .completion import CompletionModel
from .detector import SetDetector
from .part_segmentor import PartSegmentor
from .semantic_segmentor import SemanticSegmentor

__all__ = ['CompletionModel', 'DownstreamModel', 'PartSegmentor', 'PointClassifier', 'SemanticSegmentor', 'SetDetector']
