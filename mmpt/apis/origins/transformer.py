"""The parts that the Point-BERT family has in common, in the names of its origins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmpt.utils.errors import CheckpointError

from .base import count_blocks

__all__ = ['BLOCK', 'block_table', 'encoder_cfg', 'guess_heads', 'patch_table', 'position_table']

#: What is inside a block, in timm's names, which are also the origins'.
BLOCK = r'((?:norm1|norm2|attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)\.(?:weight|bias))'
_NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'


def patch_table(origin: str, ours: str) -> list[tuple[str, str | None]]:
    """The mini-PointNet: ``<origin>first_conv.0`` and so on."""
    pairs = {
        'first_conv.0': 'linear1',
        'first_conv.3': 'linear2',
        'second_conv.0': 'linear3',
        'second_conv.3': 'linear4',
    }
    norms = {'first_conv.1': 'norm1', 'second_conv.1': 'norm2'}
    table: list[tuple[str, str | None]] = []
    for name, target in pairs.items():
        table.append((rf'{_escape(origin + name)}\.(weight|bias)', rf'{ours}{target}.\1'))
    for name, target in norms.items():
        table.append((rf'{_escape(origin + name)}\.{_NORM}', rf'{ours}{target}.\1'))
    return table


def position_table(origin: str, ours: str) -> list[tuple[str, str | None]]:
    """The perceptron of centre coordinates: ``<origin>0`` and ``<origin>2``."""
    return [(rf'{_escape(origin)}([02])\.(weight|bias)', rf'{ours}\1.\2')]


def block_table(origin: str, ours: str) -> list[tuple[str, str | None]]:
    """Numbered blocks."""
    return [(rf'{_escape(origin)}([0-9]+)\.{BLOCK}', rf'{ours}\1.\2')]


def guess_heads(dim: int, num_heads: int | None) -> tuple[int, str]:
    """Attention heads, which no weight tells: 64 channels each, as in every origin of full size.

    Returns:
        tuple[int, str]: the number, and how it was found.
    """
    if num_heads is not None:
        return num_heads, 'as asked'
    if dim % 64 == 0:
        return dim // 64, '64 channels each, as in the origins'
    raise CheckpointError(
        f'The weights are {dim} channels wide, which does not tell how many attention heads they were trained with '
        '(64 channels each elsewhere): say so by num_heads (--set num_heads=N).'
    )


def encoder_cfg(
    state: Mapping[str, Tensor],
    *,
    embed: str,
    blocks: str,
    num_groups: int,
    group_size: int,
    num_heads: int | None,
    cls_token: bool,
    mask_token: bool = False,
    reduce: str | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The config of a :class:`PointTransformer` from the shapes of an origin's weights.

    Args:
        state (Mapping[str, Tensor]): origin keys.
        embed (str): prefix of the mini-PointNet.
        blocks (str): prefix of the numbered blocks.
        num_groups (int): patches; no weight tells.
        group_size (int): points of a patch; the caller knows it from a head, or assumes it.
        num_heads (int | None): attention heads; None for 64 channels each.
        cls_token (bool): whether there is one.
        mask_token (bool): whether hidden patches are tokens of the encoder.
        reduce (str | None): prefix of the linear layer behind the mini-PointNet, where there is one.

    Returns:
        tuple[dict, dict]: the config, and what was assumed.
    """
    last = state[f'{embed}second_conv.3.weight' if reduce is None else f'{reduce}weight']
    heads, rule = guess_heads(len(last), num_heads)
    cfg = {
        'type': 'PointTransformer',
        'in_channels': state[f'{embed}first_conv.0.weight'].shape[1],
        'num_groups': num_groups,
        'group_size': group_size,
        'dim': len(last),
        'depth': count_blocks(state, blocks),
        'num_heads': heads,
        'drop_path': 0.0,
        'cls_token': cls_token,
        'mask_token': mask_token,
        'patch_widths': [
            len(state[f'{embed}first_conv.0.weight']),
            len(state[f'{embed}first_conv.3.weight']),
            len(state[f'{embed}second_conv.0.weight']),
        ],
    }
    if reduce is not None:
        cfg['patch_dim'] = last.shape[1]
    return cfg, {'num_heads': rule, 'num_groups': 'no weight tells', 'drop_path': 'no weight tells'}


def _escape(text: str) -> str:
    return text.replace('.', r'\.')
