"""Whole training losses against the plain forms that their speed is compared with: value and gradients."""

import math
import sys
from pathlib import Path

import pytest
import torch

from mmpt.registry import MODELS
from mmpt.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'reference'))
from crosspoint import PlainCrossPoint, nt_xent  # noqa: E402
from discrete_vae import PlainDiscreteVAE  # noqa: E402
from plain import Block, chamfer  # noqa: E402
from point_mae import PlainPointMAE  # noqa: E402

POINT_MAE = {
    'model.encoder': {'num_groups': 12, 'group_size': 8, 'dim': 48, 'depth': 3, 'drop_path': 0.0},
    'model.decoder': {'dim': 48, 'depth': 2, 'drop_path': 0.0},
    'model.heads.plr': {'dim': 48, 'group_size': 8},
}
TOKENIZER = {
    'model': {'num_groups': 12, 'group_size': 8},
    'model.tokenizer': {'num_ids': 24, 'graph_widths': (16, 24, 32, 16, 24), 'fold_widths': (24, 16)},
}
CROSSPOINT = {
    'model.encoder': {'dim': 32, 'k': 5, 'edge_widths': (8, 12, 16, 8)},
    'model.image_encoder': {'model_name': 'test_resnet'},
    'model.heads.mcl': {'dim': 32, 'image_dim': 96, 'hidden_dim': 24, 'image_hidden_dim': 16, 'out_dim': 8},
}


def _pair(config, changes, plain):
    """Ours and the plain form with the same weights, in which no bias is 0 and no norm does nothing."""
    options = {f'{part}.{key}': value for part, values in changes.items() for key, value in values.items()}
    cfg = load_config(ROOT / 'configs' / config, options).model
    torch.manual_seed(0)
    ours = MODELS.build(cfg).train()
    for name, parameter in ours.named_parameters():
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5) if 'norm' in name else torch.nn.init.normal_(parameter, 0, 0.3)
    ours.draws.set(seed=0, step=3, rank=0, world_size=1)
    return ours, plain(cfg), _clouds()


def _clouds(batch=3, num=60):
    return torch.nn.functional.normalize(torch.randn(batch, num, 3, generator=torch.Generator().manual_seed(1)), dim=2)


def _same(ours, plain, inputs, *given, names=None):
    """Loss and every gradient; ``names`` says where the plain form keeps a parameter of ours."""
    total, _ = ours.parse_losses(ours(inputs, mode='loss'))
    total.backward()
    theirs = plain(inputs, *given)
    theirs.backward()
    assert float(total.detach()) == pytest.approx(float(theirs.detach()), abs=1e-5)
    gradients = {name: parameter.grad for name, parameter in plain.named_parameters()}
    own = {(names or {}).get(name, name): p.grad for name, p in ours.named_parameters() if p.requires_grad}
    assert own.keys() == gradients.keys()
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    for name, gradient in gradients.items():
        apart = float((own[name].reshape(gradient.shape) - gradient).abs().max())
        # A bias in front of a batch norm does nothing: its gradient is a sum of roundings.
        nothing = float(gradient.abs().max()) < 1e-5
        assert apart < (1e-4 if nothing else 1e-5) * max(1.0, largest), name
    assert largest > 1e-3


def test_point_mae():
    ours, plain, points = _pair('point_mae/pretrain_shapenet.py', POINT_MAE, PlainPointMAE)
    step, _ = ours.step({'points': points})
    hidden = step['mask'].hidden
    assert plain.draw(3).sum(1).tolist() == hidden.sum(1).tolist() == [7] * 3
    _same(ours, plain.take(ours), {'points': points}, hidden)


def test_tokenizer():
    ours, plain, points = _pair('mmpt/tokenizer_shapenet.py', TOKENIZER, PlainDiscreteVAE)
    ours.temperature, ours.usage_weight = 0.7, 0.1
    uniform = ours.draws.rand('gumbel', (3, 12, 24), 'cpu')
    _same(ours, plain.take(ours), {'points': points}, -(-uniform.log()).log())


def test_crosspoint():
    ours, plain, points = _pair('crosspoint/pretrain_shapenet.py', CROSSPOINT, PlainCrossPoint)
    # In float64: the norms of a small batch of pictures make much of a rounding.
    ours, plain = ours.double(), plain.double()
    everyone = torch.arange(3)
    inputs = {
        'points': points.double(),
        'points_view2': 0.7 * points.double().flip(1) + 0.1,
        'images': torch.randn(3, 1, 3, 64, 64).double(),
        'has_image': torch.ones(3, 1, dtype=torch.bool),
        'image_views': everyone,
        'image_rows': everyone,
    }
    # A neighbour as near as the next one may change places by rounding: the graphs are ours.
    graphs, own = [], ours.encoder.neighbours
    ours.encoder.neighbours = lambda features: graphs.append(own(features)) or graphs[-1]
    names = {'encoder.outlet.weight': 'encoder.last.0.weight'}
    for part in ('weight', 'bias'):
        names[f'encoder.outlet_norm.{part}'] = f'encoder.last.1.{part}'
        for layer in range(4):
            names[f'encoder.convs.{layer}.linear.{part}'] = f'encoder.layers.{layer}.0.{part}'
            names[f'encoder.convs.{layer}.norm.{part}'] = f'encoder.layers.{layer}.1.{part}'
    for name, _ in ours.named_parameters():
        names.setdefault(name, name.replace('image_encoder.model.', 'image_encoder.').replace('heads.mcl.', ''))
    _same(ours, plain.take(ours), inputs, graphs, names=names)
    assert len(graphs) == 4


def test_pieces_by_hand():
    square, shifted = torch.tensor([[[0.0, 0, 0], [3.0, 0, 0]]]), torch.tensor([[[0.0, 0, 0], [0, 0, 4.0]]])
    assert float(chamfer(square, shifted)) == pytest.approx((0 + 9) / 2 + (0 + 16) / 2)
    assert float(chamfer(square, shifted, root=True)) == pytest.approx(((0 + 3) / 2 + (0 + 4) / 2) / 2, abs=1e-5)
    # Two pairs of perfect matches: a score of 1 against two of 0.
    rows = torch.eye(2)
    assert float(nt_xent(rows, rows, temperature=1.0)) == pytest.approx(-math.log(math.e / (math.e + 2)), abs=1e-6)


def test_a_block_is_left_out_now_and_then_and_counts_more_where_it_is_not():
    torch.manual_seed(0)
    block, ones = Block(8, 2, 0.25), torch.ones(4000, 1, 1)
    kept = block.kept(ones)
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3]) and float(kept.mean()) == pytest.approx(1, abs=0.05)
    assert torch.equal(block.eval().kept(ones), ones)
