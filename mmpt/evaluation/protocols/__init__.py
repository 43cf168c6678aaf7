"""Measurements on plain arrays: no Runner, no config, no model."""

from .classification import ClassScores, class_scores, vote
from .codebook import CodebookUse, codebook_use
from .completion import CloudScores, cloud_scores
from .features import check_parts, compose_features
from .knn import knn_accuracy, knn_predict
from .parts import PartScores, part_iou, shape_iou
from .protocol import PRESETS, ProbeScores, Protocol, probe
from .retrieval import RetrievalProtocol, RetrievalScores, class_prototypes, nearest_prototype, retrieve
from .summary import Spread, spread
from .svm import C_GRID, C_RULES, SvmResult, linear_svm

__all__ = [
    'C_GRID',
    'C_RULES',
    'PRESETS',
    'ClassScores',
    'CloudScores',
    'CodebookUse',
    'PartScores',
    'ProbeScores',
    'Protocol',
    'RetrievalProtocol',
    'RetrievalScores',
    'Spread',
    'SvmResult',
    'check_parts',
    'class_prototypes',
    'class_scores',
    'cloud_scores',
    'codebook_use',
    'compose_features',
    'knn_accuracy',
    'knn_predict',
    'linear_svm',
    'nearest_prototype',
    'part_iou',
    'probe',
    'retrieve',
    'shape_iou',
    'spread',
    'vote',
]
