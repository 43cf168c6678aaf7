"""Checkpoints of origins: what is recognised, what is refused, and the file that comes of it. Weights are made here."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmpt.apis import get_model, load_encoder
from mmpt.apis.origins import convert, convert_file, detect
from mmpt.utils.errors import CheckpointError

ROOT = Path(__file__).parents[2]
DIM = 64


def patch(prefix, widths=(8, 16, 32), dim=DIM):
    hidden, middle, joint = widths
    state = {}
    for name, (out, into) in {
        'first_conv.0': (hidden, 3),
        'first_conv.3': (middle, hidden),
        'second_conv.0': (joint, 2 * middle),
        'second_conv.3': (dim, joint),
    }.items():
        state[f'{prefix}{name}.weight'], state[f'{prefix}{name}.bias'] = torch.randn(out, into, 1), torch.randn(out)
    for name, width in (('first_conv.1', hidden), ('second_conv.1', joint)):
        state.update({f'{prefix}{name}.{key}': torch.rand(width) + 0.5 for key in ('weight', 'bias', 'running_var')})
        state[f'{prefix}{name}.running_mean'] = torch.randn(width)
        state[f'{prefix}{name}.num_batches_tracked'] = torch.tensor(7)
    return state


def blocks(prefix, depth, dim=DIM):
    state = {}
    for number in range(depth):
        block = f'{prefix}{number}.'
        shapes = {
            'attn.qkv.weight': (3 * dim, dim),
            'attn.proj.weight': (dim, dim),
            'mlp.fc1.weight': (4 * dim, dim),
            'mlp.fc2.weight': (dim, 4 * dim),
        }
        state.update({block + key: 0.05 * torch.randn(shape) for key, shape in shapes.items()})
        state.update({f'{block}{n}.{k}': torch.rand(dim) for n in ('norm1', 'norm2') for k in ('weight', 'bias')})
        biases = {'attn.proj.bias': dim, 'mlp.fc1.bias': 4 * dim, 'mlp.fc2.bias': dim}
        state.update({block + key: torch.randn(width) for key, width in biases.items()})
    return state


def position(prefix, dim=DIM):
    return {
        f'{prefix}0.weight': torch.randn(128, 3),
        f'{prefix}0.bias': torch.randn(128),
        f'{prefix}2.weight': torch.randn(dim, 128),
        f'{prefix}2.bias': torch.randn(dim),
    }


def norm(prefix, dim=DIM):
    return {f'{prefix}weight': torch.rand(dim), f'{prefix}bias': torch.randn(dim)}


@pytest.fixture
def point_mae():
    """A pre-training as Point-MAE's runner saves it: DDP, container, epoch beside."""
    torch.manual_seed(0)
    state = {
        'mask_token': torch.randn(1, 1, DIM),
        **patch('MAE_encoder.encoder.'),
        **position('MAE_encoder.pos_embed.'),
        **blocks('MAE_encoder.blocks.blocks.', 3),
        **norm('MAE_encoder.norm.'),
        **position('decoder_pos_embed.'),
        **blocks('MAE_decoder.blocks.', 2),
        **norm('MAE_decoder.norm.'),
        'increase_dim.0.weight': torch.randn(24, DIM, 1),
        'increase_dim.0.bias': torch.randn(24),
    }
    return {
        'base_model': {f'module.{key}': value for key, value in state.items()},
        'epoch': 300,
        'metrics': {'acc': 91.0},
    }


def test_sizes_come_from_the_shapes(point_mae):
    converted = convert(point_mae, num_groups=16)
    encoder = converted.model_cfg['encoder']
    assert converted.family == 'point_mae' and not converted.unused
    assert (encoder['dim'], encoder['depth'], encoder['num_heads'], encoder['group_size']) == (64, 3, 1, 8)
    assert encoder['patch_widths'] == [8, 16, 32] and converted.model_cfg['decoder']['depth'] == 2
    assert converted.assumed['num_heads'] == '64 channels each, as in the origins'


@pytest.mark.parametrize('prefix', ['', 'module.', '_orig_mod.', '_orig_mod.module.', 'module._orig_mod.'])
@pytest.mark.parametrize('container', [None, 'base_model', 'model', 'state_dict', 'model_state_dict', 'net'])
def test_containers_and_the_prefixes_of_wrappers(point_mae, container, prefix):
    plain = {key.removeprefix('module.'): value for key, value in point_mae['base_model'].items()}
    wrapped = {prefix + key: value for key, value in plain.items()}
    found = convert({container: wrapped, 'epoch': 300} if container else wrapped)
    expected = convert(point_mae)
    assert found.family == 'point_mae' and found.state.keys() == expected.state.keys()
    assert all(torch.equal(value, expected.state[key]) for key, value in found.state.items())


class Payload:
    def __reduce__(self):
        return print, ('this ran',)


def test_a_file_that_would_run_code_is_not_converted(point_mae, tmp_path, capsys):
    torch.save({**point_mae, 'extra': Payload()}, tmp_path / 'origin.pth')
    with pytest.raises(CheckpointError, match='--trust-checkpoint'):
        convert_file(tmp_path / 'origin.pth', tmp_path / 'ours.pth')
    assert 'this ran' not in capsys.readouterr().out and not (tmp_path / 'ours.pth').exists()
    convert_file(tmp_path / 'origin.pth', tmp_path / 'ours.pth', trust=True)
    assert 'this ran' in capsys.readouterr().out and (tmp_path / 'ours.pth').is_file()


def test_the_written_file_is_one_of_ours(point_mae, tmp_path):
    torch.save(point_mae, tmp_path / 'origin.pth')
    report = convert_file(tmp_path / 'origin.pth', tmp_path / 'ours.pth', num_groups=16)
    assert report.startswith(f'point_mae -> MultiTaskPretrainer: {len(point_mae["base_model"])} tensors')
    assert '0 stay as initialised' in report and '0 are not used' in report and 'assumed: num_heads = 1' in report
    points = torch.randn(2, 64, 3)
    ours, direct = load_encoder(tmp_path / 'ours.pth'), load_encoder(tmp_path / 'origin.pth', num_groups=16)
    torch.testing.assert_close(ours(points).patch, direct(points).patch)
    origin = point_mae['base_model']
    assert torch.equal(ours.norm.weight, origin['module.MAE_encoder.norm.weight'])
    assert torch.equal(
        ours.patch_embed.linear4.weight, origin['module.MAE_encoder.encoder.second_conv.3.weight'][..., 0]
    )
    assert load_encoder(tmp_path / 'ours.pth', num_groups=32)(points).patch.shape == (2, 32, DIM)


def test_the_command(point_mae, tmp_path):
    torch.save(point_mae, tmp_path / 'origin.pth')
    tool = [sys.executable, ROOT / 'tools/model_converters/convert.py']
    done = subprocess.run(
        [*tool, '--from', 'point_mae', tmp_path / 'origin.pth', tmp_path / 'ours.pth', '--set', 'num_groups=16'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and f'written: {tmp_path / "ours.pth"}' in done.stdout, done.stderr
    done = subprocess.run(
        [*tool, '--from', 'point_bert_dvae', tmp_path / 'origin.pth', tmp_path / 'x.pth'],
        capture_output=True,
        text=True,
    )
    said = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and 'not those of point_bert_dvae: they look like point_mae' in said
    assert 'Traceback' not in done.stderr and not (tmp_path / 'x.pth').exists()


def test_a_foreign_file_names_the_nearest_family(point_mae):
    with pytest.raises(CheckpointError, match='look like no origin that can be converted'):
        convert({'model': {'layer1.0.conv1.weight': torch.zeros(1)}})
    state = {key: value for key, value in point_mae['base_model'].items() if 'MAE_encoder.norm' in key}
    with pytest.raises(CheckpointError, match='the nearest is point_mae, of whose parts some are missing'):
        convert({'base_model': state})


def test_an_incomplete_file_names_what_it_lacks(point_mae):
    del point_mae['base_model']['module.increase_dim.0.weight']
    with pytest.raises(CheckpointError, match=r"looks like point_mae but lacks 'increase_dim.0.weight'"):
        convert(point_mae)


def test_weights_of_mixed_widths_are_refused(point_mae, tmp_path):
    point_mae['base_model']['module.MAE_encoder.norm.weight'] = torch.ones(3)
    torch.save(point_mae, tmp_path / 'origin.pth')
    with pytest.raises(CheckpointError, match=r'origin.pth does not fit MultiTaskPretrainer.*1 of another shape'):
        convert_file(tmp_path / 'origin.pth', tmp_path / 'ours.pth')


def test_a_truncated_file_says_so(point_mae, tmp_path):
    torch.save(point_mae, tmp_path / 'origin.pth')
    whole = (tmp_path / 'origin.pth').read_bytes()
    (tmp_path / 'origin.pth').write_bytes(whole[: len(whole) // 2])
    for read in (load_encoder, lambda path: convert_file(path, tmp_path / 'ours.pth')):
        with pytest.raises(CheckpointError, match='origin.pth is not a complete checkpoint'):
            read(tmp_path / 'origin.pth')
    assert not (tmp_path / 'ours.pth').exists()


def test_unusual_widths_ask_for_the_heads(point_mae):
    state = dict(point_mae['base_model'])
    name = 'module.MAE_encoder.encoder.second_conv.3.weight'
    state[name] = torch.randn(48, 32, 1)
    with pytest.raises(CheckpointError, match=r'48 channels wide.*--set num_heads=N'):
        convert({'base_model': state})


def test_choices_that_a_family_does_not_have_are_refused(point_mae):
    with pytest.raises(CheckpointError, match='point_mae cannot be converted so.*num_ids'):
        convert(point_mae, num_ids=7)


def test_a_family_that_does_not_exist_lists_those_that_do(point_mae):
    with pytest.raises(CheckpointError, match="no converter from 'pointmae'; there are .*point_mae"):
        convert(point_mae, 'pointmae')


def test_detect_ranks_by_signs(point_mae):
    keys = [key.removeprefix('module.') for key in point_mae['base_model']]
    assert detect(keys)[0] == ('point_mae', 1.0) and detect(['x']) == []


def test_an_encoder_by_the_name_of_a_config():
    encoder = load_encoder('mmpt/quickstart_pretrain', depth=1)
    assert len(encoder.blocks) == 1 and encoder.cfg['depth'] == 1
    assert encoder.dim == get_model('mmpt/quickstart_pretrain').encoder.dim
