"""Measurements: protocols on arrays, metrics for the Runner, features and controls of any encoder."""

from .bootstrap import Interval, paired_bootstrap
from .comparison import compare_with_controls, comparison_table
from .controls import (
    control_spread,
    correct_items,
    probe_encoder,
    random_controls,
    score_encoder,
    untrained_encoder,
)
from .corruptions import CORRUPTIONS, Corruption, corrupt
from .feature_file import FeatureSet, load_features, save_features
from .features import calibrate_batchnorm, calibrated_batchnorm, extract_features
from .metrics import (
    ClassificationAccuracy,
    CompletionScore,
    DetectionAP,
    FeatureProbe,
    PartIoU,
    SampleMetric,
    SemanticIoU,
    TokenizerProbe,
    VotingAccuracy,
)
from .pairs import PairEmbeddings, PairScores, embed_pairs, pair_controls, score_pairs
from .protocols import PRESETS, Protocol, RetrievalProtocol, Spread, protocol_named, spread

__all__ = [
    'CORRUPTIONS',
    'PRESETS',
    'ClassificationAccuracy',
    'CompletionScore',
    'Corruption',
    'DetectionAP',
    'FeatureProbe',
    'FeatureSet',
    'Interval',
    'PairEmbeddings',
    'PairScores',
    'PartIoU',
    'Protocol',
    'RetrievalProtocol',
    'SampleMetric',
    'SemanticIoU',
    'Spread',
    'TokenizerProbe',
    'VotingAccuracy',
    'calibrate_batchnorm',
    'calibrated_batchnorm',
    'compare_with_controls',
    'comparison_table',
    'control_spread',
    'correct_items',
    'corrupt',
    'embed_pairs',
    'extract_features',
    'load_features',
    'pair_controls',
    'paired_bootstrap',
    'probe_encoder',
    'protocol_named',
    'random_controls',
    'save_features',
    'score_encoder',
    'score_pairs',
    'spread',
    'untrained_encoder',
]
