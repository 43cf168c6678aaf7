"""Encoders from checkpoints: the same numbers, another architecture, files that lie about what they are."""

import pytest
import torch

from mmpt.apis import get_model, load_encoder
from mmpt.utils.errors import CheckpointError

CONFIG = """
model = dict(
    type='MultiTaskPretrainer',
    encoder=dict(
        type='PointTransformer',
        num_groups=8,
        group_size=4,
        dim=16,
        depth=2,
        num_heads=2,
        patch_widths=(8, 16, 16),
    ),
    masking=dict(type='RandomMasking', ratio=0.5),
    decoder=dict(type='MaskedDecoder', dim=16, depth=1, num_heads=2),
    heads=dict(plr=dict(type='PointReconstructionHead', dim=16, group_size=4)),
)
"""


@pytest.fixture
def pretrainer(tmp_path):
    torch.manual_seed(0)
    config = tmp_path / 'small.py'
    config.write_text(CONFIG)
    model = get_model(config).train()
    # Running statistics away from their start, so that a buffer left behind would show.
    model.encoder(torch.randn(4, 32, 3))
    return model.eval()


@pytest.fixture
def save(tmp_path):
    def write(model, encoder_cfg=None, **more):
        path = tmp_path / 'checkpoint.pth'
        meta = {} if encoder_cfg is None else {'encoder_cfg': encoder_cfg}
        torch.save({'meta': meta, 'state_dict': model.state_dict(), **more}, path)
        return path

    return write


def plain(model):
    return {**model.encoder_cfg, 'patch_widths': list(model.encoder_cfg['patch_widths'])}


def test_round_trip_gives_the_same_numbers(pretrainer, save, capsys):
    path = save(pretrainer, plain(pretrainer))
    encoder = load_encoder(path)
    points = torch.randn(3, 40, 3)
    with torch.no_grad():
        expected, got = pretrainer.encoder(points), encoder(points)
    assert torch.equal(expected.patch, got.patch) and torch.equal(expected.globals['cls'], got.globals['cls'])
    assert not encoder.training and encoder.cfg == plain(pretrainer)
    count = len(pretrainer.encoder.state_dict())
    assert f'{count} matched, 0 missing, 0 unexpected' in capsys.readouterr().out


def test_averages_are_taken_unless_plain_weights_are_asked_for(pretrainer, save, capsys):
    state = {k: v for k, v in pretrainer.state_dict().items() if k.startswith('encoder.')}
    averages = {key: value * 2 for key, value in state.items()}
    path = save(pretrainer, plain(pretrainer), ema_state_dict=averages)
    key = 'norm.weight'
    assert torch.equal(load_encoder(path).state_dict()[key], averages[f'encoder.{key}'])
    assert 'moving averages' in capsys.readouterr().out
    assert torch.equal(load_encoder(path, prefer_ema=False).state_dict()[key], state[f'encoder.{key}'])
    assert 'plain weights' in capsys.readouterr().out


def test_another_architecture_is_one_sentence(pretrainer, save):
    said = r'fills \d+ of the \d+ tensors of PointTransformer.*another shape.*nearest to those of point_mae\.'
    with pytest.raises(CheckpointError, match=said):
        load_encoder(save(pretrainer, {**plain(pretrainer), 'dim': 32}))
    deeper = save(pretrainer, {**plain(pretrainer), 'depth': 3})
    with pytest.raises(CheckpointError, match='missing.*such as blocks'):
        load_encoder(deeper)
    assert load_encoder(deeper, min_match=0.5).cfg['depth'] == 3


def test_a_checkpoint_that_does_not_name_its_encoder(pretrainer, save):
    with pytest.raises(CheckpointError, match="meta\\['encoder_cfg'\\] is missing.*get_model"):
        load_encoder(save(pretrainer))


@pytest.mark.parametrize(
    'cfg',
    [
        {'type': 'os.system', 'command': 'touch {marker}'},
        {'type': 'mmpt.os.system', 'command': 'touch {marker}'},
        {'type': 'PointTransformer', '_scope_': 'antigravity'},
        {'type': 'PointTransformer', 'dim': {'type': 'os.system', 'command': 'touch {marker}'}},
    ],
)
def test_metadata_that_would_run_something(pretrainer, save, tmp_path, cfg):
    marker = tmp_path / 'ran'
    for below in (cfg, cfg.get('dim')):
        if isinstance(below, dict) and 'command' in below:
            below['command'] = below['command'].format(marker=marker)
    for trust in (False, True):
        with pytest.raises(CheckpointError):
            load_encoder(save(pretrainer, cfg), trust=trust)
    assert not marker.exists()


def test_metadata_of_something_that_takes_no_points(pretrainer, save):
    image = {'type': 'TimmImageEncoder', 'model_name': 'test_resnet', 'checkpoint_path': 'elsewhere.pth'}
    for cfg, said in ((image, 'not an encoder of points'), ({}, 'not an encoder of points'), ({'type': None}, 'None')):
        with pytest.raises(CheckpointError, match=said):
            load_encoder(save(pretrainer, cfg))


def test_arguments_that_do_not_fit(pretrainer, save):
    with pytest.raises(CheckpointError, match='cannot be built: .*colour'):
        load_encoder(save(pretrainer, {**plain(pretrainer), 'colour': 'red'}))


class Payload:
    def __reduce__(self):
        return print, ('this ran',)


def test_trust_is_for_one_file(pretrainer, save, capsys):
    path = save(pretrainer, plain(pretrainer), extra=Payload())
    with pytest.raises(CheckpointError, match='--trust-checkpoint'):
        load_encoder(path)
    assert 'this ran' not in capsys.readouterr().out
    load_encoder(path, trust=True)
    assert 'this ran' in capsys.readouterr().out
    with pytest.raises(CheckpointError, match='--trust-checkpoint'):
        load_encoder(path)
