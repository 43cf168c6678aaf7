"""Models by the name of their config."""

import re

import pytest
import torch

import mmpt
from mmpt.apis import get_model, list_models
from mmpt.utils.errors import CheckpointError, ConfigError
from mmpt.utils.families import family_hint

CONFIG = """
model = dict(
    type='MultiTaskPretrainer',
    encoder=dict(type='PointTransformer', num_groups=8, group_size=4, dim={dim}, depth=1, num_heads=2),
    masking=dict(type='RandomMasking', ratio=0.5),
    decoder=dict(type='MaskedDecoder', dim={dim}, depth=1, num_heads=2),
    heads=dict(plr=dict(type='PointReconstructionHead', dim={dim}, group_size=4)),
)
"""


def test_names_are_those_of_the_configs():
    names = list_models()
    assert {'mmpt/pretrain_synthetic', 'mmpt/tokenizer_shapenet'} <= set(names)
    assert not any('_base_' in name for name in names)
    assert all('tokenizer' in name for name in list_models('*tokenizer*')) and list_models('*tokenizer*')
    assert list_models('nothing') == []


def test_a_model_is_built_and_filled(tmp_path):
    config = tmp_path / 'small.py'
    config.write_text(CONFIG.format(dim=16))
    torch.manual_seed(1)
    model = get_model(config)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, tmp_path / 'a.pth')
    torch.manual_seed(2)
    again = get_model(config, tmp_path / 'a.pth')
    assert not again.training
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in model.state_dict().items())
    (tmp_path / 'other.py').write_text(CONFIG.format(dim=32))
    with pytest.raises(CheckpointError, match='another architecture .* nearest to those of point_mae'):
        get_model(tmp_path / 'other.py', tmp_path / 'a.pth')


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(ConfigError, match='mmpt/pretrain_synthetic'):
        get_model('mmpt/nothing')


def test_patterns_match_names_and_methods_in_any_spelling():
    mae = list_models('*mae*')
    assert {'point_mae/pretrain_shapenet', 'point_mae/laptop_synthetic'} <= set(mae) and mae == sorted(mae)
    assert list_models('Point-MAE') == list_models('point_mae') == list_models('point_mae/*')
    assert set(list_models('*pretrain_shapenet')) >= {'mmpt/pretrain_shapenet', 'point_mae/pretrain_shapenet'}
    assert mmpt.list_models is list_models and mmpt.get_model is get_model


@pytest.mark.parametrize(
    ('asked', 'said'),
    [
        ('point_mae/laptop', 'point_mae/laptop_synthetic'),
        ('point_may/laptop_synthetic', 'point_mae/laptop_synthetic'),
        ('Point-MAE', 'point_mae/laptop_synthetic, point_mae/pretrain_shapenet'),
        ('pointmae/pretrain_shapenet', 'point_mae/pretrain_shapenet'),
    ],
)
def test_an_unknown_name_suggests_the_nearest(asked, said):
    with pytest.raises(ConfigError, match=rf'did you mean .*{said}.*\?') as error:
        get_model(asked)
    assert 'mmpt/quickstart_pretrain' not in str(error.value)


METHODS = ('mmpt', 'point_mae', 'point_bert', 'crosspoint', 'recon', 'point_m2ae', 'cross_bert')


@pytest.mark.parametrize('method', METHODS)
def test_a_checkpoint_that_does_not_fit_names_its_method(method, tmp_path):
    """The keys of every method, by the config that laptops train."""
    name = 'quickstart_pretrain' if method == 'mmpt' else 'laptop_synthetic'
    other = 'point_mae' if method != 'point_mae' else 'mmpt'
    torch.save({'state_dict': get_model(f'{method}/{name}').state_dict()}, tmp_path / 'a.pth')
    config = 'laptop_synthetic' if other == 'point_mae' else 'quickstart_pretrain'
    with pytest.raises(CheckpointError) as error:
        get_model(f'{other}/{config}', tmp_path / 'a.pth')
    assert f'nearest to those of {method}.' in str(error.value)


def test_keys_of_no_method_lead_to_the_converter():
    assert 'tools/model_converters/convert.py' in family_hint(['conv1.weight', 'fc.bias'])
    assert family_hint(['tokenizer.codebook', 'tokenizer.decoder.fold1.weight']).endswith('those of a tokenizer.')


@pytest.fixture
def origin(tmp_path):
    """Point-MAE's keys for the small config: the reverse of what its converter does."""
    torch.manual_seed(3)
    config = tmp_path / 'small.py'
    config.write_text(CONFIG.format(dim=16).replace('num_heads=2)', 'num_heads=2, cls_token=False)', 1))
    model = get_model(config)
    pairs = [
        (r'^encoder\.patch_embed\.linear1\.', 'MAE_encoder.encoder.first_conv.0.'),
        (r'^encoder\.patch_embed\.norm1\.', 'MAE_encoder.encoder.first_conv.1.'),
        (r'^encoder\.patch_embed\.linear2\.', 'MAE_encoder.encoder.first_conv.3.'),
        (r'^encoder\.patch_embed\.linear3\.', 'MAE_encoder.encoder.second_conv.0.'),
        (r'^encoder\.patch_embed\.norm2\.', 'MAE_encoder.encoder.second_conv.1.'),
        (r'^encoder\.patch_embed\.linear4\.', 'MAE_encoder.encoder.second_conv.3.'),
        (r'^encoder\.blocks\.', 'MAE_encoder.blocks.blocks.'),
        (r'^encoder\.norm\.', 'MAE_encoder.norm.'),
        (r'^encoder\.position\.', 'MAE_encoder.pos_embed.'),
        (r'^decoder\.position\.', 'decoder_pos_embed.'),
        (r'^decoder\.mask_token', 'mask_token'),
        (r'^decoder\.', 'MAE_decoder.'),
        (r'^heads\.plr\.predictor\.', 'increase_dim.0.'),
    ]
    state = {}
    for key, value in model.state_dict().items():
        for pattern, replacement in pairs:
            if re.match(pattern, key):
                state[f'module.{re.sub(pattern, replacement, key)}'] = value.clone()
                break
        else:
            raise AssertionError(key)
    return config, model, state


def test_a_file_of_an_origin_fills_a_config_that_it_fits(origin, tmp_path):
    config, model, state = origin
    torch.save({'base_model': state, 'epoch': 3}, tmp_path / 'origin.pth')
    torch.manual_seed(4)
    filled = get_model(config, tmp_path / 'origin.pth')
    assert all(torch.equal(value, filled.state_dict()[key]) for key, value in model.state_dict().items())
    points = torch.randn(2, 32, 3)
    with torch.no_grad():
        assert torch.equal(filled({'points': points}).patch, model({'points': points}).patch)


def test_a_file_of_an_origin_that_does_not_fit_says_so(origin, tmp_path):
    config, _, state = origin
    torch.save({'base_model': state}, tmp_path / 'origin.pth')
    # The config's class token is not in Point-MAE's files.
    config.write_text(CONFIG.format(dim=16))
    with pytest.raises(CheckpointError, match=r'of point_mae that does not fit.*2 missing.*load_encoder'):
        get_model(config, tmp_path / 'origin.pth')
    with pytest.raises(CheckpointError, match='not those of recon: they look like point_mae'):
        get_model(config, tmp_path / 'origin.pth', origin='recon')
    torch.save({'base_model': {'conv.weight': torch.zeros(3)}}, tmp_path / 'foreign.pth')
    with pytest.raises(CheckpointError, match='another architecture.*no origin'):
        get_model(config, tmp_path / 'foreign.pth')
