"""Checkpoints of CrossPoint: what is read from them, what is left, what is refused. Weights are made here."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

from mmpt.apis import load_encoder
from mmpt.apis.origins import convert, convert_file
from mmpt.registry import MODELS
from mmpt.utils.config import load_config
from mmpt.utils.errors import CheckpointError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'reference'))
from dgcnn import EveryEdge  # noqa: E402

WIDTHS, DIM = (6, 8, 10, 12), 16


@pytest.fixture
def plain():
    """DGCNN in its plain form, every norm away from its start."""
    torch.manual_seed(0)
    model = EveryEdge(3, DIM, 15, WIDTHS)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.weight.data.normal_()
            module.bias.data.normal_()
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


@pytest.fixture
def origin(plain):
    """As the origin saves it: no container, and the norms of the encoder under two names."""
    state = {}
    for number, layer in enumerate([*plain.layers, plain.last], start=1):
        state[f'conv{number}.0.weight'] = layer[0].weight.data
        for key, value in layer[1].state_dict().items():
            state[f'bn{number}.{key}'] = state[f'conv{number}.1.{key}'] = value
    head = torch.nn.Sequential(torch.nn.Linear(2 * DIM, DIM), torch.nn.BatchNorm1d(DIM), torch.nn.ReLU())
    head.append(torch.nn.Linear(DIM, 24))
    return {**state, **{f'inv_head.{key}': value for key, value in head.state_dict().items()}}


def test_sizes_come_from_the_shapes(origin):
    converted = convert(origin)
    encoder, head = converted.model_cfg['encoder'], converted.model_cfg['heads']['mcl']
    assert converted.family == 'crosspoint' and not converted.unused
    assert encoder == {'type': 'DGCNN', 'in_channels': 3, 'dim': DIM, 'k': 15, 'edge_widths': list(WIDTHS)}
    assert (head['hidden_dim'], head['out_dim'], head['pooling']) == (DIM, 24, ['max', 'mean'])
    assert list(converted.assumed) == ['k'] and convert(origin, k=20).model_cfg['encoder']['k'] == 20


def test_the_encoder_computes_what_the_origin_does(plain, origin, tmp_path):
    torch.save({f'module.{key}': value for key, value in origin.items()}, tmp_path / 'best_model.pth')
    points = torch.randn(2, 50, 3)
    encoder = load_encoder(tmp_path / 'best_model.pth')
    torch.testing.assert_close(encoder(points).patch, plain(points.mT).mT, atol=1e-5, rtol=1e-5)
    plain.k = 9
    fewer = load_encoder(tmp_path / 'best_model.pth', k=9)
    torch.testing.assert_close(fewer(points).patch, plain(points.mT).mT, atol=1e-5, rtol=1e-5)


def test_the_report_and_the_written_file(origin, tmp_path):
    torch.save(origin, tmp_path / 'origin.pth')
    report = convert_file(tmp_path / 'origin.pth', tmp_path / 'ours.pth', 'crosspoint', k=12)
    assert report.startswith('crosspoint -> MultiTaskPretrainer: ') and 'assumed: k = 12' in report
    assert '0 stay as initialised' in report and '0 are not used' in report
    assert load_encoder(tmp_path / 'ours.pth').k == 12


def test_the_shipped_model_takes_a_full_size_file():
    """Every weight of the point branch of configs/crosspoint/pretrain_shapenet.py, and no other, is in the origin's."""
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build(load_config(ROOT / 'configs/crosspoint/pretrain_shapenet.py').model)
    state = {'conv5.1.running_mean': torch.zeros(1024), 'conv5.1.num_batches_tracked': torch.tensor(0)}
    for number, (a, b) in enumerate(zip((3, 64, 64, 128), (64, 64, 128, 256)), start=1):
        state[f'conv{number}.0.weight'] = torch.zeros(b, 2 * a, 1, 1)
        state.update({f'conv{number}.1.{key}': torch.zeros(b) for key in ('weight', 'bias')})
        state.update({f'conv{number}.1.running_{key}': torch.zeros(b) for key in ('mean', 'var')})
        state[f'conv{number}.1.num_batches_tracked'] = torch.tensor(0)
    state['conv5.0.weight'] = torch.zeros(1024, 512, 1)
    state.update({f'conv5.1.{key}': torch.zeros(1024) for key in ('weight', 'bias', 'running_var')})
    state.update({'inv_head.0.weight': torch.zeros(1024, 2048), 'inv_head.0.bias': torch.zeros(1024)})
    state.update({f'inv_head.1.{key}': torch.zeros(1024) for key in ('weight', 'bias', 'running_mean', 'running_var')})
    state['inv_head.1.num_batches_tracked'] = torch.tensor(0)
    state.update({'inv_head.3.weight': torch.zeros(256, 1024), 'inv_head.3.bias': torch.zeros(256)})
    match = model.load_state_dict(convert(state).state, strict=False)
    assert not match.unexpected_keys
    assert all(key.startswith(('image_encoder.', 'heads.mcl.image_projector.')) for key in match.missing_keys)


def test_what_nothing_of_ours_takes_is_named(origin):
    unused = convert({**origin, 'linear1.weight': torch.zeros(512, 32), 'bn6.weight': torch.zeros(512)}).unused
    assert set(unused) == {'linear1.weight', 'bn6.weight'} and 'classifier' in unused['bn6.weight']


def test_the_encoder_for_part_segmentation_is_refused(origin):
    origin['transform_net.transform.weight'] = torch.zeros(9, 256)
    with pytest.raises(CheckpointError, match='part segmentation.*trained with --model dgcnn'):
        convert(origin)


def test_another_family_and_an_incomplete_file_are_named(origin):
    with pytest.raises(CheckpointError, match='not those of point_mae: they look like crosspoint'):
        convert(origin, 'point_mae')
    del origin['inv_head.0.weight']
    with pytest.raises(CheckpointError, match=r"looks like crosspoint but lacks 'inv_head.0.weight'"):
        convert(origin)
