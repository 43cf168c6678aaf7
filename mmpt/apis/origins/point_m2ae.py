"""Point-M2AE (arXiv 2205.14401): pre-training and fine-tuned classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmpt.utils.errors import CheckpointError

from .base import Converted, Family, count_blocks, rename
from .transformer import block_table, patch_table, position_table

__all__ = ['FAMILY', 'convert']

_NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'


def convert(
    state: dict[str, Tensor],
    *,
    num_groups: Sequence[int] = (512, 256, 64),
    group_size: Sequence[int] = (16, 8, 8),
    num_heads: int = 6,
    levels: Sequence[int] = (1,),
    local_radius: Sequence[float] | None = (0.32, 0.64, 1.28),
) -> Converted:
    """Translate a pre-training or a classifier.

    Args:
        state (dict[str, Tensor]): the origin's keys, without prefixes.
        num_groups (Sequence[int]): patches of every scale, the finest first.
        group_size (Sequence[int]): what a patch of every scale holds.
        num_heads (int): attention heads on every scale.
        levels (Sequence[int]): of a pre-training, finer scales whose tokens the encoder returns; its decoder reads 1.
        local_radius (Sequence[float] | None): of a classifier, how far a token attends on every scale.

    Returns:
        Converted: a ``MultiTaskPretrainer`` with the head ``plr``, or a ``PointClassifier``.
    """
    count = count_blocks(state, 'h_encoder.token_embed.')
    for name, value in (('num_groups', num_groups), ('group_size', group_size)):
        given = [value] if isinstance(value, int) else value
        if len(given) != count:
            raise CheckpointError(f'The checkpoint has {count} scales, {name} has {len(given)} values: give one each.')
    embed = 'h_encoder.token_embed.0.'
    assumed = dict.fromkeys(('num_heads', 'scales', 'drop_path'), 'no weight tells all of it, the origin has it so')
    encoder = {
        'type': 'HierarchicalPointTransformer',
        'in_channels': state[f'{embed}first_conv.0.weight'].shape[1],
        'scales': [
            {
                'num_groups': num_groups[number],
                'group_size': group_size[number],
                'dim': len(state[f'h_encoder.token_embed.{number}.second_conv.3.weight']),
                'depth': count_blocks(state, f'h_encoder.encoder_blocks.{number}.blocks.'),
            }
            for number in range(count)
        ],
        'num_heads': num_heads,
        'drop_path': 0.0,
        'patch_widths': [len(state[f'{embed}{name}.weight']) for name in ('first_conv.0', 'first_conv.3')]
        + [len(state[f'{embed}second_conv.0.weight'])],
    }
    if 'mask_token' in state:
        return _pretraining(state, {**encoder, 'levels': list(levels), 'strays': False}, assumed)
    radius = None if local_radius is None else list(local_radius)
    return _classifier(state, {**encoder, 'local_radius': radius}, {**assumed, 'local_radius': 'no weight tells'})


def _encoder_table(count: int, levels: Sequence[int] = ()) -> list[tuple[str, str | None]]:
    table: list[tuple[str, str | None]] = []
    for number in range(count):
        ours = f'encoder.merges.{number - 1}.' if number else 'encoder.patch_embed.'
        table += patch_table(f'h_encoder.token_embed.{number}.', ours)
        table += position_table(f'h_encoder.encoder_pos_embeds.{number}.', f'encoder.positions.{number}.')
        table += block_table(f'h_encoder.encoder_blocks.{number}.blocks.', f'encoder.stages.{number}.')
    for level in levels:
        table.append((rf'h_encoder\.encoder_norms\.{level}\.(weight|bias)', rf'encoder.level_norms.{level}.\1'))
    return [*table, (rf'h_encoder\.encoder_norms\.{count - 1}\.(weight|bias)', r'encoder.norm.\1')]


def _decoder_table(count: int) -> list[tuple[str, str | None]]:
    table: list[tuple[str, str | None]] = [
        (r'mask_token', 'decoder.mask_token'),
        (r'decoder_norm\.(weight|bias)', r'decoder.norm.\1'),
        (r'rec_head\.(weight|bias)', r'heads.plr.predictor.\1'),
        (r'token_prop\.([0-9]+)\.fuse\.net\.0\.(weight|bias)', r'decoder.ups.\1.fuse.\2'),
        (rf'token_prop\.([0-9]+)\.fuse\.net\.1\.{_NORM}', r'decoder.ups.\1.norm.\2'),
    ]
    for number in range(count):
        table += position_table(f'decoder_pos_embeds.{number}.', f'decoder.positions.{number}.')
        table += block_table(f'h_decoder.{number}.blocks.', f'decoder.stages.{number}.')
    inner = r'token_prop\.([0-9]+)\.extraction\.operation\.([0-9]+)\.net'
    for number in (1, 2):
        table.append((rf'{inner}{number}\.0\.(weight|bias)', rf'decoder.ups.\1.blocks.\2.linear{number}.\3'))
        table.append((rf'{inner}{number}\.1\.{_NORM}', rf'decoder.ups.\1.blocks.\2.norm{number}.\3'))
    return table


def _pretraining(state: dict[str, Tensor], encoder: dict[str, Any], assumed: dict[str, str]) -> Converted:
    count, steps = len(encoder['scales']), count_blocks(state, 'h_decoder.')
    group_size = len(state['rec_head.weight']) // 3
    cfg = {
        'type': 'MultiTaskPretrainer',
        'encoder': encoder,
        'masking': {'type': 'RandomMasking', 'ratio': 0.8},
        'decoder': {
            'type': 'HierarchicalDecoder',
            'scales': [
                {
                    'dim': len(state[f'h_decoder.{number}.blocks.0.norm1.weight']),
                    'depth': count_blocks(state, f'h_decoder.{number}.blocks.'),
                }
                for number in range(steps)
            ],
            'num_heads': encoder['num_heads'],
            'drop_path': 0.0,
            'up_blocks': count_blocks(state, 'token_prop.0.extraction.operation.'),
        },
        'heads': {
            'plr': {
                'type': 'PointReconstructionHead',
                'dim': state['rec_head.weight'].shape[1],
                'group_size': group_size,
                'scale': steps - 1,
            }
        },
    }
    ours, unused = rename(
        state,
        [*_encoder_table(count, encoder['levels']), *_decoder_table(steps)],
        {r'h_encoder\.encoder_norms\..*': 'of tokens that its pre-training reads nowhere; levels asks for them'},
    )
    ours['decoder.mask_token'] = ours['decoder.mask_token'].view(1, 1, -1)
    return Converted('point_m2ae', cfg, ours, unused, {**assumed, 'masking': "the origin's default"})


def _classifier(state: dict[str, Tensor], encoder: dict[str, Any], assumed: dict[str, str]) -> Converted:
    dim = encoder['scales'][-1]['dim']
    summed = state['cls_head_finetune.0.weight'].shape[1] == dim
    if not summed:
        assumed = {**assumed, 'pooling': 'the origin leaves the first token out of the maximum'}
    cfg = {
        'type': 'PointClassifier',
        'encoder': encoder,
        'num_classes': len(state['cls_head_finetune.8.weight']),
        'hidden_dim': len(state['cls_head_finetune.0.weight']),
        'pooling': ['max+mean'] if summed else ['mean', 'max'],
    }
    table = [
        *_encoder_table(len(encoder['scales'])),
        (r'norm\.(weight|bias)', r'encoder.norm.\1'),
        (r'cls_head_finetune\.(\d+)\.(.*)', r'head.\1.\2'),
    ]
    ours, unused = rename(state, table)
    return Converted('point_m2ae', cfg, ours, unused, assumed)


FAMILY = Family((r'h_encoder\.token_embed\.0\.', r'h_encoder\.encoder_blocks\.0\.blocks\.'), convert)
