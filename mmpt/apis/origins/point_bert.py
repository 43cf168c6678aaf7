"""Point-BERT (arXiv 2111.14819): the transformer's pre-training and fine-tuned classifiers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from . import point_bert_dvae
from .base import Converted, Family, rename
from .transformer import block_table, encoder_cfg, patch_table, position_table

__all__ = ['FAMILY', 'convert']

_DVAE = 'dvae.'


def _encoder(origin: str, ours: str) -> list[tuple[str, str | None]]:
    escaped = origin.replace('.', r'\.')
    return [
        *patch_table(f'{origin}encoder.', f'{ours}patch_embed.'),
        (rf'{escaped}reduce_dim\.(weight|bias)', rf'{ours}reduce.\1'),
        *position_table(f'{origin}pos_embed.', f'{ours}position.'),
        *block_table(f'{origin}blocks.blocks.', f'{ours}blocks.'),
        (rf'{escaped}norm\.(weight|bias)', rf'{ours}norm.\1'),
        (rf'{escaped}(cls_token|cls_pos|mask_token)', rf'{ours}\1'),
    ]


_PRETRAIN = [
    *_encoder('transformer_q.', 'encoder.'),
    *_encoder('transformer_k.', 'momentum_encoder.'),
    (r'transformer_q\.lm_head\.(weight|bias)', r'heads.tlr.classifier.\1'),
    (r'transformer_q\.cls_head\.([02])\.(weight|bias)', r'heads.moco.projector.\1.\2'),
    (r'transformer_k\.cls_head\.([02])\.(weight|bias)', r'heads.moco.key_projector.\1.\2'),
    (r'queue', 'heads.moco.queue'),
    (r'queue_ptr', 'heads.moco.position'),
]
_UNUSED = {r'transformer_k\.lm_head\..*': "no loss reads the key encoder's tokens"}
_CLASSIFIER = [*_encoder('', 'encoder.'), (r'cls_head_finetune\.(\d+)\.(weight|bias)', r'head.\1.\2')]


def convert(
    state: dict[str, Tensor], *, num_groups: int = 64, group_size: int = 32, num_heads: int | None = None
) -> Converted:
    """Translate a pre-training or a classifier.

    Args:
        state (dict[str, Tensor]): the origin's keys, without prefixes.
        num_groups (int): patches it was trained with.
        group_size (int): points of a patch; a pre-training tells by its tokenizer, a classifier does not.
        num_heads (int | None): attention heads; None for 64 channels each.

    Returns:
        Converted: a ``MultiTaskPretrainer`` with the heads ``tlr`` and ``moco``, momentum encoder and tokenizer, or a
        ``PointClassifier``.
    """
    if any(key.startswith('transformer_q.') for key in state):
        return _pretraining(state, num_groups, num_heads)
    return _classifier(state, num_groups, group_size, num_heads)


def _pretraining(state: dict[str, Tensor], num_groups: int, num_heads: int | None) -> Converted:
    inside = {key[len(_DVAE) :]: value for key, value in state.items() if key.startswith(_DVAE)}
    try:
        dvae = point_bert_dvae.convert(inside, num_groups=num_groups)
    except KeyError as error:
        raise KeyError(f'{_DVAE}{error.args[0]}') from error
    encoder, assumed = _encoder_cfg(
        state, 'transformer_q.', num_groups, dvae.model_cfg['group_size'], num_heads, mask_token=True
    )
    cfg: dict[str, Any] = {
        'type': 'MultiTaskPretrainer',
        'encoder': encoder,
        'tokenizer': dvae.model_cfg['tokenizer'],
        'masking': {'type': 'BlockMasking', 'ratio': [0.25, 0.45], 'per_sample': True},
        'momentum_encoder': {'momentum': 0.999},
        'views': {
            'masked': {'mask': 'hidden'},
            'mixed': {'source': 'mixed', 'mask': 'own'},
            'key': {'mask': 'own', 'encoder': 'momentum'},
        },
        'heads': {
            'tlr': {
                'type': 'TokenReconstructionHead',
                'dim': encoder['dim'],
                'num_ids': len(state['transformer_q.lm_head.weight']),
                'views': ['masked', 'mixed'],
            },
            'moco': {
                'type': 'MomentumContrastHead',
                'dim': encoder['dim'],
                'query': None,
                'key': 'key',
                'mixed': 'mixed',
                'hidden_dim': len(state['transformer_q.cls_head.0.weight']),
                'out_dim': len(state['transformer_q.cls_head.2.weight']),
                'queue_size': state['queue'].shape[1],
                'norm': False,
                'activation': 'gelu',
            },
        },
        'balancer': 'equal',
    }
    rest = {key: value for key, value in state.items() if not key.startswith(_DVAE)}
    # The origin's queue has a column a key, and its place is a vector of one.
    rest.update(queue=state['queue'].T.contiguous(), queue_ptr=state['queue_ptr'].reshape(()))
    ours, unused = rename(rest, _PRETRAIN, _UNUSED)
    unused.update({_DVAE + key: why for key, why in dvae.unused.items()})
    rules = {'masking': "the origin's default", 'momentum': "the origin's default"}
    return Converted('point_bert', cfg, {**ours, **dvae.state}, unused, {**assumed, **rules})


def _classifier(state: dict[str, Tensor], num_groups: int, group_size: int, num_heads: int | None) -> Converted:
    encoder, assumed = _encoder_cfg(state, '', num_groups, group_size, num_heads)
    cfg = {
        'type': 'PointClassifier',
        'encoder': encoder,
        'num_classes': len(state['cls_head_finetune.3.weight']),
        'hidden_dim': len(state['cls_head_finetune.0.weight']),
        'hidden_layers': 1,
        'norm': False,
    }
    ours, unused = rename(state, _CLASSIFIER)
    return Converted('point_bert', cfg, ours, unused, {**assumed, 'group_size': 'no weight of a classifier tells'})


def _encoder_cfg(
    state: dict[str, Tensor],
    prefix: str,
    num_groups: int,
    group_size: int,
    num_heads: int | None,
    mask_token: bool = False,
) -> tuple[dict[str, Any], dict[str, str]]:
    return encoder_cfg(
        state,
        embed=f'{prefix}encoder.',
        blocks=f'{prefix}blocks.blocks.',
        reduce=f'{prefix}reduce_dim.',
        num_groups=num_groups,
        group_size=group_size,
        num_heads=num_heads,
        cls_token=True,
        mask_token=mask_token,
    )


FAMILY = Family(
    (
        r'(transformer_q\.)?reduce_dim\.',
        r'(transformer_q\.)?blocks\.blocks\.',
        r'(transformer_q\.lm_head\.|cls_head_finetune\.3\.)',
    ),
    convert,
)
