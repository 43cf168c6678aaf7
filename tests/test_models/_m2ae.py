"""An encoder of three scales small enough for a CPU test, clouds and masks for it."""

import torch

from mmpt.models.encoders import HierarchicalPointTransformer
from mmpt.models.layers import back_project
from mmpt.models.masking import mask_from_scores

SCALES = [
    {'num_groups': 24, 'group_size': 6, 'dim': 12, 'depth': 1},
    {'num_groups': 12, 'group_size': 4, 'dim': 24, 'depth': 1},
    {'num_groups': 6, 'group_size': 4, 'dim': 24, 'depth': 1},
]
ENCODER = {
    'type': 'HierarchicalPointTransformer',
    'scales': SCALES,
    'num_heads': 3,
    'drop_path': 0.0,
    'levels': [1],
    'patch_widths': (8, 8, 16),
    'init': 'default',
}
MODEL = {
    'type': 'MultiTaskPretrainer',
    'encoder': ENCODER,
    'masking': {'type': 'RandomMasking', 'ratio': 0.67},
    'decoder': {
        'type': 'HierarchicalDecoder',
        'scales': [{'dim': 24, 'depth': 1}, {'dim': 24, 'depth': 1}],
        'num_heads': 3,
        'drop_path': 0.0,
    },
    'heads': {'plr': {'type': 'PointReconstructionHead', 'dim': 24, 'group_size': 6, 'scale': 1}},
}


def encoder_of(training=False, **kwargs):
    torch.manual_seed(0)
    args = {key: value for key, value in ENCODER.items() if key != 'type'}
    return HierarchicalPointTransformer(**{**args, 'levels': [0, 1], **kwargs}).train(training)


def clouds(count=4, channels=3, seed=1):
    return torch.randn(count, 96, channels, generator=torch.Generator().manual_seed(seed))


def draw(count=4, seed=2, hidden=4):
    return mask_from_scores(torch.rand(count, 6, generator=torch.Generator().manual_seed(seed)), hidden)


def below(patches, mask):
    """Masks of all scales, the finest first."""
    masks = [mask]
    while patches.finer is not None:
        masks.insert(0, back_project(masks[0], patches))
        patches = patches.finer
    return masks
