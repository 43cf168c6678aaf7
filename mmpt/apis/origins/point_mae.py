"""Point-MAE (arXiv 2203.06604): pre-training and fine-tuned classifiers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .base import Converted, Family, count_blocks, rename
from .transformer import block_table, encoder_cfg, guess_heads, patch_table, position_table

__all__ = ['FAMILY', 'convert']

_PRETRAIN = [
    *patch_table('MAE_encoder.encoder.', 'encoder.patch_embed.'),
    *position_table('MAE_encoder.pos_embed.', 'encoder.position.'),
    *block_table('MAE_encoder.blocks.blocks.', 'encoder.blocks.'),
    (r'MAE_encoder\.norm\.(weight|bias)', r'encoder.norm.\1'),
    (r'mask_token', 'decoder.mask_token'),
    *position_table('decoder_pos_embed.', 'decoder.position.'),
    *block_table('MAE_decoder.blocks.', 'decoder.blocks.'),
    (r'MAE_decoder\.norm\.(weight|bias)', r'decoder.norm.\1'),
    (r'increase_dim\.0\.(weight|bias)', r'heads.plr.predictor.\1'),
]
_CLASSIFIER = [
    *patch_table('encoder.', 'encoder.patch_embed.'),
    *position_table('pos_embed.', 'encoder.position.'),
    *block_table('blocks.blocks.', 'encoder.blocks.'),
    (r'norm\.(weight|bias)', r'encoder.norm.\1'),
    (r'(cls_token|cls_pos)', r'encoder.\1'),
    (r'cls_head_finetune\.(\d+)\.(.*)', r'head.\1.\2'),
]


def convert(
    state: dict[str, Tensor], *, num_groups: int = 64, group_size: int = 32, num_heads: int | None = None
) -> Converted:
    """Translate a pre-training or a classifier.

    Args:
        state (dict[str, Tensor]): the origin's keys, without prefixes.
        num_groups (int): patches it was trained with.
        group_size (int): points of a patch; a pre-training tells by its head, a classifier does not.
        num_heads (int | None): attention heads of encoder and decoder; None for 64 channels each.

    Returns:
        Converted: a ``MultiTaskPretrainer`` with the head ``plr``, or a ``PointClassifier``.
    """
    if any(key.startswith('MAE_encoder.') for key in state):
        return _pretraining(state, num_groups, num_heads)
    return _classifier(state, num_groups, group_size, num_heads)


def _pretraining(state: dict[str, Tensor], num_groups: int, num_heads: int | None) -> Converted:
    group_size = len(state['increase_dim.0.weight']) // 3
    encoder, assumed = encoder_cfg(
        state,
        embed='MAE_encoder.encoder.',
        blocks='MAE_encoder.blocks.blocks.',
        num_groups=num_groups,
        group_size=group_size,
        num_heads=num_heads,
        cls_token=False,
    )
    dim = encoder['dim']
    cfg: dict[str, Any] = {
        'type': 'MultiTaskPretrainer',
        'encoder': encoder,
        'masking': {'type': 'RandomMasking', 'ratio': 0.6},
        'decoder': {
            'type': 'MaskedDecoder',
            'dim': dim,
            'depth': count_blocks(state, 'MAE_decoder.blocks.'),
            'num_heads': guess_heads(dim, num_heads)[0],
            'drop_path': 0.0,
        },
        'heads': {'plr': {'type': 'PointReconstructionHead', 'dim': dim, 'group_size': group_size}},
    }
    ours, unused = rename(state, _PRETRAIN)
    return Converted('point_mae', cfg, ours, unused, {**assumed, 'masking': "the origin's default"})


def _classifier(state: dict[str, Tensor], num_groups: int, group_size: int, num_heads: int | None) -> Converted:
    encoder, assumed = encoder_cfg(
        state,
        embed='encoder.',
        blocks='blocks.blocks.',
        num_groups=num_groups,
        group_size=group_size,
        num_heads=num_heads,
        cls_token='cls_token' in state,
    )
    cfg = {
        'type': 'PointClassifier',
        'encoder': encoder,
        'num_classes': len(state['cls_head_finetune.8.weight']),
        'hidden_dim': len(state['cls_head_finetune.0.weight']),
    }
    ours, unused = rename(state, _CLASSIFIER)
    return Converted('point_mae', cfg, ours, unused, {**assumed, 'group_size': 'no weight of a classifier tells'})


FAMILY = Family((r'(MAE_encoder\.|cls_head_finetune\.8\.)', r'(MAE_decoder\.|blocks\.blocks\.)'), convert)
