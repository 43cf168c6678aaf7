"""Metrics that the Runner's val and test loops call."""

from .base import SampleMetric
from .feature_probe import FeatureProbe
from .tokenizer_probe import TokenizerProbe

__all__ = ['FeatureProbe', 'SampleMetric', 'TokenizerProbe']
