"""The discrete VAE of Point-BERT (arXiv 2111.14819), our tokenizer."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .base import Converted, Family, rename
from .transformer import patch_table

__all__ = ['FAMILY', 'convert']


def _graph(origin: str, ours: str) -> list[tuple[str, str | None]]:
    table: list[tuple[str, str | None]] = [
        (rf'{origin}\.input_trans\.(weight|bias)', rf'{ours}.inlet.\1'),
        (rf'{origin}\.layer5\.0\.weight', f'{ours}.outlet.weight'),
        (rf'{origin}\.layer5\.1\.(weight|bias)', rf'{ours}.outlet_norm.\1'),
    ]
    for number in range(4):
        table += [
            (rf'{origin}\.layer{number + 1}\.0\.weight', f'{ours}.convs.{number}.linear.weight'),
            (rf'{origin}\.layer{number + 1}\.1\.(weight|bias)', rf'{ours}.convs.{number}.norm.\1'),
        ]
    return table


_FOLDS = {'0': 'fold1', '1': 'norm1', '3': 'fold2', '4': 'norm2', '6': 'fold3'}
_TABLE = [
    (r'codebook', 'tokenizer.codebook'),
    *patch_table('encoder.', 'tokenizer.patch_embed.'),
    *_graph('dgcnn_1', 'tokenizer.encoder_graph'),
    *_graph('dgcnn_2', 'tokenizer.decoder_graph'),
    (r'decoder\.mlp\.(\d+)\.(weight|bias)', r'tokenizer.decoder.coarse.\1.\2'),
    *((rf'decoder\.final_conv\.{n}\.(\w+)', rf'tokenizer.decoder.{name}.\1') for n, name in _FOLDS.items()),
]
# Constants of the origin that our decoder computes.
_UNUSED = {r'decoder\.folding_seed': 'the grid that is folded is a constant'}


def convert(state: dict[str, Tensor], *, num_groups: int = 64) -> Converted:
    """Translate a tokenizer.

    Args:
        state (dict[str, Tensor]): the origin's keys, without prefixes.
        num_groups (int): patches it was trained with; no weight tells.

    Returns:
        Converted: a ``TokenizerPretrainer``.
    """
    group_size = 4 * len(state['decoder.mlp.4.weight']) // 3
    layers = [f'dgcnn_1.layer{number}.0.weight' for number in range(1, 5)]
    tokenizer: dict[str, Any] = {
        'type': 'DiscreteVAE',
        'num_ids': len(state['codebook']),
        'group_size': group_size,
        'embed_dim': len(state['encoder.second_conv.3.weight']),
        'code_dim': state['codebook'].shape[1],
        'decoder_dim': state['decoder.mlp.0.weight'].shape[1],
        'patch_widths': [
            len(state['encoder.first_conv.0.weight']),
            len(state['encoder.first_conv.3.weight']),
            len(state['encoder.second_conv.0.weight']),
        ],
        'graph_widths': [len(state['dgcnn_1.input_trans.weight']), *(len(state[layer]) for layer in layers)],
        'fold_widths': [len(state['decoder.mlp.0.weight']), len(state['decoder.final_conv.0.weight'])],
    }
    ours, unused = rename(state, _TABLE, _UNUSED)
    cfg = {'type': 'TokenizerPretrainer', 'tokenizer': tokenizer, 'num_groups': num_groups, 'group_size': group_size}
    return Converted('point_bert_dvae', cfg, ours, unused, {'num_groups': 'no weight tells'})


FAMILY = Family((r'codebook$', r'dgcnn_1\.', r'decoder\.final_conv\.'), convert)
