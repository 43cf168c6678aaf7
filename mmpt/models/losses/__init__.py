"""Losses: tensors in, scalars or one value a sample out; usable without the rest of the toolbox."""

from .box_set import BoxPredictions, BoxSetLoss, generalized_iou
from .chamfer import ChamferLoss
from .info_nce import InfoNCELoss, info_nce
from .label_contrast import LabelContrastLoss
from .nt_xent import NTXentLoss, nt_xent
from .queue_contrast import CutMixInfoNCELoss, QueueInfoNCELoss
from .tokens import FeatureRegressionLoss, TokenCrossEntropy
from .usage import UniformUsageLoss

__all__ = [
    'BoxPredictions',
    'BoxSetLoss',
    'ChamferLoss',
    'CutMixInfoNCELoss',
    'FeatureRegressionLoss',
    'InfoNCELoss',
    'LabelContrastLoss',
    'NTXentLoss',
    'QueueInfoNCELoss',
    'TokenCrossEntropy',
    'UniformUsageLoss',
    'generalized_iou',
    'info_nce',
    'nt_xent',
]
