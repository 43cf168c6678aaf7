"""Models for labelled tasks around the encoder that was pre-trained."""

from .classifier import PointClassifier

__all__ = ['PointClassifier']
