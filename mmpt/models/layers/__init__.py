"""Layers that encoders, decoders, tokenizers and heads share."""

from .blocks import PositionedBlocks, init_trunc_normal, init_xavier
from .cross_attention import CrossAttention, CrossBlock
from .distributed import (
    all_reduce_sum,
    gather_rows,
    rank_and_world,
    same_on_all_ranks,
    share_of_global_mean,
    share_of_rows,
)
from .draws import StepDraws
from .edge_conv import EdgeConv
from .folding import Folding, normed_fold
from .graph import CentreGraphNet, NodeEdgeConv
from .grouping import group_points
from .linear_max import linear_max
from .norm import BatchNorm, Moments, synchronise_batch_norms
from .patch_embed import PatchEmbed
from .pooling import pool_tokens
from .position import PositionEmbed
from .propagation import FeaturePropagation, PointPropagation
from .scales import back_project, finer_scale
from .selection import padded_index, repeated_index, select_hidden

__all__ = [
    'BatchNorm',
    'CentreGraphNet',
    'CrossAttention',
    'CrossBlock',
    'EdgeConv',
    'FeaturePropagation',
    'Folding',
    'Moments',
    'NodeEdgeConv',
    'PatchEmbed',
    'PointPropagation',
    'PositionedBlocks',
    'StepDraws',
    'all_reduce_sum',
    'back_project',
    'finer_scale',
    'gather_rows',
    'group_points',
    'init_trunc_normal',
    'init_xavier',
    'linear_max',
    'padded_index',
    'normed_fold',
    'pool_tokens',
    'PositionEmbed',
    'rank_and_world',
    'repeated_index',
    'select_hidden',
    'same_on_all_ranks',
    'share_of_global_mean',
    'share_of_rows',
    'synchronise_batch_norms',
]
