"""ReCon (arXiv 2302.02318): pre-training and fine-tuned classifiers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .base import Converted, Family, count_blocks, rename
from .transformer import block_table, encoder_cfg, guess_heads, patch_table, position_table

__all__ = ['FAMILY', 'convert']

# What the global tokens have of their own in a block, in the origin's names and in ours.
_GLOBAL = {
    r'norm([12])_contrast\.(weight|bias)': r'global_norm\2.\3',
    r'attn_contrast\.(q\.weight|kv\.weight|proj\.weight|proj\.bias)': r'global_attn.\2',
    r'mlp_contrast\.(fc[12]\.(?:weight|bias))': r'global_mlp.\2',
}


def _encoder(prefix: str) -> list[tuple[str, str | None]]:
    dotted = prefix.replace('.', r'\.')
    return [
        *patch_table(f'{prefix}encoder.', 'encoder.patch_embed.'),
        *position_table(f'{prefix}pos_embed.', 'encoder.position.'),
        *block_table(f'{prefix}blocks.blocks.', 'encoder.blocks.'),
        *(
            (rf'{dotted}blocks\.blocks\.(\d+)\.{theirs}', rf'encoder.blocks.\1.{ours}')
            for theirs, ours in _GLOBAL.items()
        ),
        (rf'{dotted}norm\.(weight|bias)', r'encoder.norm.\1'),
        (rf'{dotted}((?:cls|img|text)_(?:token|pos))', r'encoder.\1'),
    ]


_PRETRAIN = [
    *_encoder('MAE_encoder.'),
    (r'mask_token', 'decoder.mask_token'),
    *position_table('decoder_pos_embed.', 'decoder.position.'),
    *block_table('MAE_decoder.blocks.', 'decoder.blocks.'),
    (r'MAE_decoder\.norm\.(weight|bias)', r'decoder.norm.\1'),
    (r'increase_dim\.0\.(weight|bias)', r'heads.plr.predictor.\1'),
    (r'(img|text)_proj\.(weight|bias)', r'heads.\1.projector.\2'),
    (r'cls_proj\.(\d)\.(.*)', r'heads.smc.projector.\1.\2'),
]
_CLASSIFIER = [*_encoder(''), (r'cls_head_finetune\.(\d+)\.(.*)', r'head.\1.\2')]
_UNUSED = {
    r'img_encoder\..*': "the frozen image teacher, which is timm's",
    r'text_encoder\..*': "the frozen text teacher, which is open_clip's",
}


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
        Converted: a ``MultiTaskPretrainer`` with the heads ``plr``, ``img``, ``text`` and, where the origin was trained
        with it, ``smc``; or a ``PointClassifier``.
    """
    if any(key.startswith('MAE_encoder.') for key in state):
        return _pretraining(state, num_groups, num_heads)
    return _classifier(state, num_groups, group_size, num_heads)


def _encoder_cfg(state: dict[str, Tensor], prefix: str, detach: bool, **sizes: Any) -> tuple[dict, dict]:
    cfg, assumed = encoder_cfg(
        state, embed=f'{prefix}encoder.', blocks=f'{prefix}blocks.blocks.', cls_token=True, **sizes
    )
    del cfg['cls_token'], cfg['mask_token']
    return {**cfg, 'type': 'ReConTransformer', 'detach_local': detach}, assumed


def _pretraining(state: dict[str, Tensor], num_groups: int, num_heads: int | None) -> Converted:
    group_size = len(state['increase_dim.0.weight']) // 3
    encoder, assumed = _encoder_cfg(
        state, 'MAE_encoder.', True, num_groups=num_groups, group_size=group_size, num_heads=num_heads
    )
    dim = encoder['dim']
    heads: dict[str, Any] = {'plr': {'type': 'PointReconstructionHead', 'dim': dim, 'group_size': group_size}}
    necks = {}
    for token, kind, teacher in (('img', 'image', 'TimmTeacher'), ('text', 'text', 'OpenClipTextTeacher')):
        if f'{token}_proj.weight' in state:
            width = len(state[f'{token}_proj.weight'])
            target = f'teacher/{kind}'
            heads[token] = {
                'type': 'DistillationHead',
                'dim': dim,
                'target_dim': width,
                'target': target,
                'token': token,
            }
            necks[f'{kind}_teacher'] = {'type': teacher}
            assumed['necks'] = "the origin's default teachers"
    if 'cls_proj.0.weight' in state:
        heads['smc'] = {
            'type': 'CaptionContrastHead',
            'dim': dim,
            'hidden_dim': len(state['cls_proj.0.weight']),
            'out_dim': len(state['cls_proj.3.weight']),
        }
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
        'views': {'masked': {'mask': 'hidden'}},
        'necks': necks,
        'heads': heads,
        'balancer': 'equal',
    }
    ours, unused = rename(state, _PRETRAIN, _UNUSED)
    return Converted('recon', cfg, ours, unused, {**assumed, 'masking': "the origin's default"})


def _classifier(state: dict[str, Tensor], num_groups: int, group_size: int, num_heads: int | None) -> Converted:
    encoder, assumed = _encoder_cfg(state, '', False, num_groups=num_groups, group_size=group_size, num_heads=num_heads)
    cfg = {
        'type': 'PointClassifier',
        'encoder': encoder,
        'num_classes': len(state['cls_head_finetune.8.weight']),
        'hidden_dim': len(state['cls_head_finetune.0.weight']),
        'pooling': ['cls', 'img', 'text', 'max'],
    }
    ours, unused = rename(state, _CLASSIFIER, _UNUSED)
    return Converted('recon', cfg, ours, unused, {**assumed, 'group_size': 'no weight of a classifier tells'})


FAMILY = Family(
    (
        r'(MAE_encoder\.|cls_head_finetune\.8\.)',
        r'(MAE_encoder\.)?img_token',
        r'(MAE_encoder\.)?blocks\.blocks\.0\.attn_contrast\.',
    ),
    convert,
)
