"""Layer-wise rates: every parameter learns at the rate of its layer, whatever the encoder is made of."""

import re

import pytest
from mmengine.registry import DefaultScope
from torch import nn

from mmpt.engine import ParamGroupConstructor
from mmpt.models.downstream import PointClassifier
from mmpt.registry import ENCODERS
from mmpt.utils.errors import ConfigError
from mmpt.utils.setup import register_all_modules

register_all_modules()

PATCHES = {'num_groups': 8, 'group_size': 4, 'dim': 8, 'depth': 3, 'num_heads': 2, 'patch_widths': (8, 8, 8)}
SCALES = [
    {'num_groups': 8, 'group_size': 4, 'dim': 8, 'depth': 2},
    {'num_groups': 4, 'group_size': 2, 'dim': 8, 'depth': 2},
]
POINT = {'type': 'PointTransformer', 'mask_token': True, 'patch_dim': 8, **PATCHES}
RECON = {'type': 'ReConTransformer', **PATCHES}
HIERARCHICAL = {'type': 'HierarchicalPointTransformer', 'scales': SCALES, 'num_heads': 2, 'patch_widths': (8, 8, 8)}
DGCNN = {'type': 'DGCNN', 'dim': 8, 'k': 4, 'edge_widths': (4, 4, 4, 4)}


def classifier(encoder, **kwargs):
    with DefaultScope.overwrite_default_scope('mmpt'):
        return PointClassifier(3, dict(encoder), pooling=('max',), hidden_dim=4, **kwargs)


def rates(model, **paramwise):
    """Name -> rate of every trained parameter, base rate 1."""
    optimizer = {'type': 'AdamW', 'lr': 1.0, 'weight_decay': 0.05}
    wrapper = ParamGroupConstructor({'optimizer': optimizer}, paramwise)(model)
    rate = {id(p): group['lr'] for group in wrapper.optimizer.param_groups for p in group['params']}
    return {name: rate[id(p)] for name, p in model.named_parameters() if p.requires_grad}


def expected_layer(name, kind):
    """Written out by hand: layers in front of the head, which is 0."""
    if not name.startswith('encoder.') or re.match(r'encoder\.(norm|level_norms)\.', name):
        return 0
    if kind in ('PointTransformer', 'ReConTransformer'):
        block = re.match(r'encoder\.blocks\.(\d+)\.', name)
        return 3 - int(block[1]) if block else 4
    if kind == 'DGCNN':
        conv = re.match(r'encoder\.convs\.(\d+)\.', name)
        return 5 - int(conv[1]) if conv else 1
    stage = re.match(r'encoder\.stages\.(\d)\.(\d)\.', name)
    if stage:
        return 4 - 2 * int(stage[1]) - int(stage[2])
    # The merge goes with the first block of the second scale, all else is the embedding.
    return 2 if re.match(r'encoder\.(merges\.0|positions\.1)\.', name) else 5


@pytest.mark.parametrize('encoder', [POINT, RECON, HIERARCHICAL, DGCNN], ids=lambda cfg: cfg['type'])
def test_every_parameter_learns_at_the_rate_of_its_layer(encoder):
    model = classifier(encoder)
    found = rates(model, layer_decay=0.75)
    assert found.keys() == {name for name, _ in model.named_parameters()}
    assert found == {name: pytest.approx(0.75 ** expected_layer(name, encoder['type'])) for name in found}
    assert min(found.values()) < 0.75**3 and found['head.0.weight'] == 1


def test_blocks_past_the_ninth_are_told_apart():
    model = classifier({**POINT, 'depth': 12})
    found = rates(model, layer_decay=0.5)
    for block in range(12):
        assert found[f'encoder.blocks.{block}.norm1.weight'] == 0.5 ** (12 - block)
    assert found['encoder.cls_pos'] == 0.5**13


def test_factors_multiply_and_the_head_leads_the_log():
    model = classifier(POINT)
    found = rates(model, layer_decay=0.5, lr_mult={'encoder.blocks.2': 0.1, 'head': 10.0})
    assert found['encoder.blocks.2.norm1.weight'] == pytest.approx(0.05) and found['head.0.weight'] == 10
    optimizer = {'type': 'AdamW', 'lr': 1.0, 'weight_decay': 0.05}
    groups = ParamGroupConstructor({'optimizer': optimizer}, {'layer_decay': 0.5})(model).optimizer.param_groups
    assert groups[0]['lr'] == 1 and len({group['lr'] for group in groups}) == 5


def test_a_rate_of_one_is_the_plain_optimiser():
    model = classifier(POINT)
    assert set(rates(model).values()) == set(rates(model, layer_decay=1.0).values()) == {1.0}


def test_what_cannot_be_decayed_by_layers_is_one_sentence():
    with pytest.raises(ConfigError, match=r'must be in \(0, 1\], not 1.5'):
        rates(classifier(POINT), layer_decay=1.5)
    with pytest.raises(ConfigError, match='the encoder is frozen'):
        rates(classifier(POINT, frozen=True), layer_decay=0.75)
    model = nn.Module()
    model.encoder = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r'Linear, the encoder of Module, .* layer_prefixes'):
        rates(model, layer_decay=0.75)


@pytest.mark.parametrize('encoder', [POINT, RECON, HIERARCHICAL, DGCNN], ids=lambda cfg: cfg['type'])
def test_layers_share_no_parameter_and_each_has_some(encoder):
    built = ENCODERS.build(dict(encoder))
    names = [name for name, _ in built.named_parameters()]
    layers = [{name for name in names if name.startswith(prefixes)} for prefixes in built.layer_prefixes()]
    assert all(layers) and sum(map(len, layers)) == len(set().union(*layers))
