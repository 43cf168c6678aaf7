"""CrossPoint (arXiv 2203.00680): the point branch with DGCNN, encoder and projection."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mmpt.utils.errors import CheckpointError

from .base import Converted, Family, rename

__all__ = ['FAMILY', 'convert']

_NORM = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
# The origin holds every norm of the encoder twice, under a name of its own and in the sequence that runs it.
_TABLE: list[tuple[str, str | None]] = [
    *((rf'conv{n}\.0\.weight', f'encoder.convs.{n - 1}.linear.weight') for n in range(1, 5)),
    *((rf'(?:conv{n}\.1|bn{n})\.{_NORM}', rf'encoder.convs.{n - 1}.norm.\1') for n in range(1, 5)),
    (r'conv5\.0\.weight', 'encoder.outlet.weight'),
    (rf'(?:conv5\.1|bn5)\.{_NORM}', r'encoder.outlet_norm.\1'),
    (r'inv_head\.([03])\.(weight|bias)', r'heads.mcl.projector.\1.\2'),
    (rf'inv_head\.1\.{_NORM}', r'heads.mcl.projector.1.\1'),
]
_UNUSED = {r'(linear[123]|bn[67])\..*': "DGCNN's own classifier, which CrossPoint does not train"}


def convert(state: dict[str, Tensor], *, k: int = 15) -> Converted:
    """Translate the point model of a pre-training (``best_model.pth``, ``ckpt_epoch_*.pth``).

    The image branch, which the origin writes to a file of its own, has no use after the pre-training: the model is
    described with the contrast between views alone.

    Args:
        state (dict[str, Tensor]): the origin's keys, without prefixes.
        k (int): neighbours in the graph.

    Returns:
        Converted: a ``MultiTaskPretrainer`` with the head ``mcl``.

    Raises:
        CheckpointError: it is the encoder that the origin pre-trains for part segmentation.
    """
    if any(key.startswith('transform_net.') for key in state):
        raise CheckpointError(
            'This is the encoder that CrossPoint pre-trains for part segmentation (dgcnn_seg: an input transform, '
            'other layers), which mmpt does not have; convert one that was trained with --model dgcnn.'
        )
    dim = len(state['conv5.0.weight'])
    cfg: dict[str, Any] = {
        'type': 'MultiTaskPretrainer',
        'encoder': {
            'type': 'DGCNN',
            'in_channels': state['conv1.0.weight'].shape[1] // 2,
            'dim': dim,
            'k': k,
            'edge_widths': [len(state[f'conv{n}.0.weight']) for n in range(1, 5)],
        },
        'views': {'full': {}, 'augmented': {'source': 'points_view2'}},
        'joint_views': [['full', 'augmented']],
        'heads': {
            'mcl': {
                'type': 'MultiModalContrastHead',
                'dim': dim,
                'views': ['full', 'augmented'],
                'pooling': ['max', 'mean'],
                'hidden_dim': len(state['inv_head.0.weight']),
                'out_dim': len(state['inv_head.3.weight']),
                'joint': True,
                'loss': {'type': 'NTXentLoss', 'temperature': 0.1},
            },
        },
        'balancer': 'equal',
    }
    ours, unused = rename(state, _TABLE, _UNUSED)
    return Converted('crosspoint', cfg, ours, unused, {'k': "that of the origin's launch script; no weight tells"})


FAMILY = Family((r'conv1\.0\.weight', r'conv5\.0\.weight', r'inv_head\.3\.weight'), convert)
