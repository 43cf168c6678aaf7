"""Origin files of the published sizes fill the shipped models: no tensor is left over, none is missing.

CrossPoint's is in test_origin_crosspoint.py.
"""

import sys
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'reference'))
import point_bert  # noqa: E402
import point_m2ae  # noqa: E402
import recon  # noqa: E402

from mmpt.apis.origins import convert  # noqa: E402
from mmpt.registry import MODELS  # noqa: E402
from mmpt.utils.config import load_config  # noqa: E402

WIDTHS = (128, 256, 512)
GRAPH, FOLD = (128, 256, 512, 512, 1024), (1024, 512)


def shipped(name):
    cfg = load_config(Path(__file__).parents[2] / 'configs' / f'{name}.py').model
    # Teachers are in no file of the origin, and a head needs its teacher.
    if cfg.pop('necks', None):
        cfg.heads = {'plr': cfg.heads.plr}
    with DefaultScope.overwrite_default_scope('mmpt'):
        return MODELS.build(cfg)


def recon_state():
    return recon.make_state(384, 12, 4, WIDTHS, 32, 768)


def point_mae_state():
    """ReCon's names hold all of Point-MAE's."""
    own = ('cls_', 'img_', 'text_')
    return {
        key: value
        for key, value in recon_state().items()
        if '_contrast' not in key and not key.removeprefix('MAE_encoder.').startswith(own)
    }


def dvae_state(prefix=''):
    return point_bert.tokenizer_weights(prefix, 8192, 256, WIDTHS, GRAPH, FOLD, 32)


def point_bert_state():
    state = point_bert.random_weights(384, 12, 8192, 512, 16384, 256, WIDTHS)
    return {**state, **dvae_state('dvae.')}


def point_m2ae_state(monkeypatch):
    monkeypatch.setattr(point_m2ae, 'SCALES', ((512, 16, 96), (256, 8, 192), (64, 8, 384)))
    monkeypatch.setattr(point_m2ae, 'WIDTHS', WIDTHS)
    return point_m2ae.random_weights(depth=5, predicted=16)


@pytest.mark.parametrize('family', ['point_mae', 'point_bert_dvae', 'point_bert', 'recon', 'point_m2ae'])
def test_a_file_of_the_published_sizes_fills_the_shipped_model(family, monkeypatch):
    make = {
        'point_mae': point_mae_state,
        'point_bert_dvae': dvae_state,
        'point_bert': point_bert_state,
        'recon': recon_state,
        'point_m2ae': lambda: point_m2ae_state(monkeypatch),
    }[family]
    config = 'mmpt/tokenizer_shapenet' if family == 'point_bert_dvae' else f'{family}/pretrain_shapenet'
    own = {key: tuple(value.shape) for key, value in shipped(config).state_dict().items()}
    converted = convert({'base_model': make()})
    found = {key: tuple(value.shape) for key, value in converted.state.items()}
    assert converted.family == family
    if family == 'recon':
        found = {key: value for key, value in found.items() if not key.startswith(('heads.img', 'heads.text'))}
    made_here = {'templates', 'best_template'}  # of the tokenizer's training
    assert found.items() <= own.items(), set(found.items()) - set(own.items())
    assert {key for key in own.keys() - found.keys() if key.split('.')[-1] not in made_here} == set()
