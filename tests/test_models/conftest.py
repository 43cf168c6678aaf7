"""A pretrainer small enough for a CPU test, with every part of the real one."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope

from mmpt.registry import MODELS

DIM, GROUPS, SIZE, IDS, IMAGE_DIM = 32, 8, 8, 16, 96

TOKENIZER = {
    'type': 'DiscreteVAE',
    'num_ids': IDS,
    'group_size': SIZE,
    'patch_widths': (16, 16, 32),
    'embed_dim': 16,
    'code_dim': 16,
    'decoder_dim': 16,
    'graph_widths': (16, 16, 16, 16, 16),
    'fold_widths': (32, 32),
}
MODEL = {
    'type': 'MultiTaskPretrainer',
    'encoder': {
        'type': 'PointTransformer',
        'num_groups': GROUPS,
        'group_size': SIZE,
        'dim': DIM,
        'depth': 2,
        'num_heads': 4,
        'drop_path': 0.1,
        'patch_widths': (16, 32, 32),
    },
    'tokenizer': TOKENIZER,
    'masking': {'type': 'RandomMasking', 'ratio': 0.6},
    'decoder': {'type': 'MaskedDecoder', 'dim': DIM, 'depth': 1, 'num_heads': 4},
    'image_encoder': {'type': 'TimmImageEncoder', 'model_name': 'test_resnet'},
    'views': {'masked': {'mask': 'hidden'}, 'full': {}, 'reconstructed': {'source': 'reconstruction'}},
    'heads': {
        # Given in the wrong order on purpose: the pretrainer sorts by need.
        'mcl': {
            'type': 'MultiModalContrastHead',
            'dim': DIM,
            'image_dim': IMAGE_DIM,
            'hidden_dim': 32,
            'out_dim': 16,
            'monitor_interval': 2,
        },
        'tlr': {'type': 'TokenReconstructionHead', 'dim': DIM, 'num_ids': IDS},
        'plr': {'type': 'PointReconstructionHead', 'dim': DIM, 'group_size': SIZE},
    },
}


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope('mmpt'):
        yield


@pytest.fixture
def model_cfg():
    return copy.deepcopy(MODEL)


@pytest.fixture
def tokenizer_cfg():
    return copy.deepcopy(TOKENIZER)


@pytest.fixture
def build():
    def make(cfg, seed=0):
        torch.manual_seed(seed)
        return MODELS.build(copy.deepcopy(cfg))

    return make


@pytest.fixture
def batch():
    """Contract 1: 4 clouds of 64 points with one image each."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 255, (4, 1, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return {
        'inputs': {
            'points': list(torch.randn(4, 64, 3, generator=generator)),
            'images': list(images),
            'has_image': [torch.tensor([True])] * 4,
        }
    }


def losses_of(model, batch, step=0):
    """One training forward: (total, log, raw)."""
    model.draws.set(seed=0, step=step, rank=0, world_size=1)
    data = model.data_preprocessor(batch, True)
    raw = model(**data, mode='loss')
    total, log = model.parse_losses(raw)
    return total, log, raw


@pytest.fixture
def run_loss():
    return losses_of
