"""Models by the name of their config."""

import pytest
import torch

from mmpt.apis import get_model, list_models
from mmpt.utils.errors import CheckpointError, ConfigError

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
    with pytest.raises(CheckpointError, match='another architecture'):
        get_model(tmp_path / 'other.py', tmp_path / 'a.pth')


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(ConfigError, match='mmpt/pretrain_synthetic'):
        get_model('mmpt/nothing')
