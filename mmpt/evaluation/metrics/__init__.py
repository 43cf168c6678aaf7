"""Metrics that the Runner's val and test loops call."""

from .base import SampleMetric
from .classification import ClassificationAccuracy, VotingAccuracy
from .completion import CompletionScore
from .detection_ap import DetectionAP
from .feature_probe import FeatureProbe
from .part_iou import PartIoU
from .semantic_iou import SemanticIoU
from .tokenizer_probe import TokenizerProbe

__all__ = [
    'ClassificationAccuracy',
    'CompletionScore',
    'DetectionAP',
    'FeatureProbe',
    'PartIoU',
    'SampleMetric',
    'SemanticIoU',
    'TokenizerProbe',
    'VotingAccuracy',
]
