"""What models for labelled tasks share: the encoder comes from the checkpoint, and a frozen one stays as it is."""

import pytest
import torch
from mmengine.registry import DefaultScope

from mmpt.models.downstream import PointClassifier
from mmpt.registry import ENCODERS, MODELS
from mmpt.utils.errors import CheckpointError

SMALL = {
    'type': 'PointTransformer',
    'num_groups': 8,
    'group_size': 8,
    'dim': 24,
    'depth': 2,
    'num_heads': 2,
    'drop_path': 0.5,
    'cls_token': False,
    'patch_widths': (8, 16, 24),
}
HEAD = {'num_classes': 3, 'pooling': ('max',), 'hidden_dim': 8}


@pytest.fixture
def checkpoint(tmp_path):
    """Of a pre-training: plain weights, moving averages that differ, and what the encoder is."""
    encoder = ENCODERS.build(dict(SMALL))
    state = {f'encoder.{key}': value for key, value in encoder.state_dict().items()}
    averages = {key: value + 1 if value.is_floating_point() else value for key, value in state.items()}
    content = {
        'meta': {'encoder_cfg': {**SMALL, 'patch_widths': list(SMALL['patch_widths'])}},
        'state_dict': {**state, 'heads.plr.weight': torch.zeros(2)},
        'ema_state_dict': averages,
    }
    path = tmp_path / 'pretrain.pth'
    torch.save(content, path)
    return path, averages


def build(**kwargs):
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = PointClassifier(**HEAD, **kwargs)
    model.init_weights()
    return model


def test_the_checkpoint_says_what_the_encoder_is_and_its_averages_fill_it(checkpoint):
    path, averages = checkpoint
    model = build(checkpoint=str(path), task_encoder={'num_groups': 12, 'drop_path': 0.0})
    assert model.encoder.dim == 24 and model.encoder.num_groups == 12
    assert model.encoder_cfg['num_groups'] == 12 and model.encoder_cfg['drop_path'] == 0.0
    for key, value in model.encoder.state_dict().items():
        assert torch.equal(value, averages[f'encoder.{key}']), key


TASKS = {
    'PointClassifier': HEAD,
    'PartSegmentor': {'parts': (2, 3), 'levels': 2, 'head': {'category_dim': 4, 'point_dims': (8, 8), 'dims': (8, 8)}},
    'CompletionModel': {'num_queries': 8, 'head': {'global_dim': 16, 'dim': 16, 'depth': 1, 'num_heads': 2}},
}


@pytest.mark.parametrize('task', TASKS)
def test_every_tensor_of_the_encoder_goes_into_every_task(checkpoint, task, monkeypatch):
    """METHODS 1.8.7: none is missing or unexpected, and beside the encoder there is the head alone."""
    path, averages = checkpoint
    said = []
    monkeypatch.setattr('mmpt.models.downstream.base.print_log', lambda text, **_: said.append(text))
    with DefaultScope.overwrite_default_scope('mmpt'):
        model = MODELS.build({'type': task, 'checkpoint': str(path), **TASKS[task]})
    before = {key: value.clone() for key, value in model.state_dict().items() if not key.startswith('encoder.')}
    model.init_weights()
    assert said[0].endswith(f'{len(averages)} matched, 0 missing, 0 unexpected.')
    state = model.state_dict()
    assert {key for key in state if key.startswith('encoder.')} == averages.keys()
    assert all(torch.equal(state[key], value) for key, value in averages.items())
    assert before and all(key.startswith('head.') and torch.equal(state[key], value) for key, value in before.items())


def test_a_class_token_that_pre_training_had_not_starts_at_random_and_nothing_else_may(checkpoint):
    path, averages = checkpoint
    model = build(checkpoint=str(path), task_encoder={'cls_token': True})
    assert bool(model.encoder.cls_token.any())
    assert torch.equal(model.encoder.norm.weight, averages['encoder.norm.weight'])
    with pytest.raises(CheckpointError, match=r'does not fill PointTransformer .*blocks\.2'):
        build(checkpoint=str(path), task_encoder={'depth': 3})


def test_without_a_checkpoint_the_encoder_is_that_of_the_config_at_random(checkpoint):
    model = build(encoder=dict(SMALL))
    assert model.pretrained_meta == {} and model.encoder_cfg == SMALL
    with pytest.raises(ValueError, match=r'needs an encoder or a checkpoint'):
        build()


def test_a_frozen_encoder_keeps_its_weights_its_statistics_and_draws_nothing(checkpoint):
    path, _ = checkpoint
    model = build(checkpoint=str(path), frozen=True).train()
    before = {key: value.clone() for key, value in model.encoder.state_dict().items()}
    points = torch.randn(4, 64, 3, generator=torch.Generator().manual_seed(0))
    first, second = (model.encode(points).patch for _ in range(2))
    # Drop-path of 0.5 would tell the two apart.
    assert torch.equal(first, second) and not first.requires_grad
    logits = model({'points': points})
    logits.sum().backward()
    assert all(p.grad is None for p in model.encoder.parameters())
    assert any(p.grad is not None for p in model.head.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.encoder.state_dict().items())


def test_a_checkpoint_that_does_not_say_what_its_encoder_is_names_the_converter(tmp_path):
    path = tmp_path / 'foreign.pth'
    torch.save({'state_dict': {'encoder.weight': torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match=r'tools/model_converters/convert\.py'):
        build(checkpoint=str(path))
    torch.save({'meta': {'encoder_cfg': {'type': 'os.system', 'command': 'true'}}, 'state_dict': {}}, path)
    with pytest.raises(CheckpointError, match=r'not registered'):
        build(checkpoint=str(path))
