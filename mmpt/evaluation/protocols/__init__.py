"""Measurements on plain arrays: no Runner, no config, no model."""

from .classification import ClassScores, class_scores, vote
from .codebook import CodebookUse, codebook_use
from .completion import CloudScores, cloud_scores
from .detection import average_precision, box_iou
from .features import check_parts, compose_features
from .few_shot import FEW_SHOT_PRESETS, FewShotFold, FewShotProtocol, draw_folds, few_shot, score_folds
from .knn import knn_accuracy, knn_predict
from .parts import PartScores, part_iou, shape_iou
from .protocol import PRESETS, ProbeScores, Protocol, probe, protocol_named
from .retrieval import RetrievalProtocol, RetrievalScores, class_prototypes, nearest_prototype, retrieve
from .semantic import SemanticScores, confusion_matrix, semantic_scores
from .summary import Spread, spread
from .svm import C_GRID, C_RULES, SvmResult, linear_svm

__all__ = [
    'C_GRID',
    'C_RULES',
    'FEW_SHOT_PRESETS',
    'PRESETS',
    'ClassScores',
    'CloudScores',
    'CodebookUse',
    'FewShotFold',
    'FewShotProtocol',
    'PartScores',
    'ProbeScores',
    'Protocol',
    'RetrievalProtocol',
    'RetrievalScores',
    'SemanticScores',
    'Spread',
    'SvmResult',
    'average_precision',
    'box_iou',
    'check_parts',
    'class_prototypes',
    'class_scores',
    'cloud_scores',
    'codebook_use',
    'compose_features',
    'confusion_matrix',
    'draw_folds',
    'few_shot',
    'knn_accuracy',
    'knn_predict',
    'linear_svm',
    'nearest_prototype',
    'part_iou',
    'probe',
    'protocol_named',
    'retrieve',
    'score_folds',
    'semantic_scores',
    'shape_iou',
    'spread',
    'vote',
]
