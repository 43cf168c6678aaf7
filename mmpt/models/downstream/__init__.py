"""Models for labelled tasks around the encoder that was pre-trained."""

from .base import DownstreamModel
from .classifier import PointClassifier

__all__ = ['DownstreamModel', 'PointClassifier']
