"""Measurements: protocols on arrays, metrics for the Runner, features and controls of any encoder."""

from .comparison import compare_with_controls, comparison_table
from .controls import control_spread, random_controls, score_encoder
from .feature_file import FeatureSet, load_features, save_features
from .features import calibrate_batchnorm, extract_features
from .metrics import FeatureProbe, PartIoU, SampleMetric, TokenizerProbe
from .protocols import PRESETS, Protocol, Spread, spread

__all__ = [
    'PRESETS',
    'FeatureProbe',
    'FeatureSet',
    'PartIoU',
    'Protocol',
    'SampleMetric',
    'Spread',
    'TokenizerProbe',
    'calibrate_batchnorm',
    'compare_with_controls',
    'comparison_table',
    'control_spread',
    'extract_features',
    'load_features',
    'random_controls',
    'save_features',
    'score_encoder',
    'spread',
]
