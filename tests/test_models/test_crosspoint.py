"""CrossPoint's training step against the plain form: one batch of both augmentations through encoder and projection."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from mmpt.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'reference'))
from dgcnn import EveryEdge  # noqa: E402

DIM, WIDTHS, K = 16, (6, 8, 6, 8), 5


@pytest.fixture
def cfg():
    cfg = load_config(ROOT / 'configs/crosspoint/pretrain_synthetic.py').model.to_dict()
    cfg['encoder'].update(dim=DIM, edge_widths=WIDTHS, k=K)
    cfg['image_encoder'] = {'type': 'TimmImageEncoder', 'model_name': 'test_resnet'}
    cfg['heads']['mcl'].update(dim=DIM, image_dim=96, hidden_dim=24, image_hidden_dim=12, out_dim=10)
    return cfg


@pytest.fixture
def two_clouds(batch):
    """Contract 1: two augmentations of every cloud; the third sample has no picture."""
    generator = torch.Generator().manual_seed(1)
    turned = [
        1.5 * points + 0.1 * torch.randn(points.shape, generator=generator) for points in batch['inputs']['points']
    ]
    batch['inputs']['points_view2'] = turned
    batch['inputs']['has_image'] = [torch.tensor([number != 2]) for number in range(4)]
    return batch


def slow_contrast(first, second, temperature=0.1):
    """Both directions; every other row of both sides is a negative."""
    rows = nn.functional.normalize(torch.cat([first, second]), dim=1)
    count, losses = len(first), []
    for place, row in enumerate(rows):
        near = (rows @ row / temperature).exp()
        positive = near[(place + count) % (2 * count)]
        losses.append(-(positive / (near.sum() - near[place])).log())
    return torch.stack(losses).mean()


def test_a_training_step_is_that_of_the_plain_form(cfg, build, two_clouds, run_loss):
    model = build(cfg).train()
    plain = EveryEdge(3, DIM, K, WIDTHS).take(model.encoder).train()
    shapes = ((2 * DIM, 24), (24, 10), True), ((96, 12), (12, 10), False)
    heads = []
    for ours, (first, second, bias) in zip((model.heads.mcl.projector, model.heads.mcl.image_projector), shapes):
        head = nn.Sequential(
            nn.Linear(*first, bias=bias), nn.BatchNorm1d(first[1]), nn.ReLU(), nn.Linear(*second, bias=bias)
        )
        head.load_state_dict(ours.state_dict())
        heads.append(head.train())
    total, log, _ = run_loss(model, two_clouds)
    total.backward()

    inputs = model.data_preprocessor(two_clouds, True)['inputs']
    tokens = plain(torch.cat([inputs['points'], inputs['points_view2']]).mT)
    projected = heads[0](torch.cat([tokens.amax(2), tokens.mean(2)], dim=1))
    has = torch.tensor([0, 1, 3])
    pictures = heads[1](build(cfg).image_encoder.train()(inputs['images'][has, 0]))
    intra = slow_contrast(projected[:4], projected[4:])
    cross = slow_contrast(((projected[:4] + projected[4:]) / 2)[has], pictures)
    (intra + cross).backward()
    torch.testing.assert_close(total, intra + cross, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(log['mcl/intra'], intra.detach(), atol=1e-4, rtol=1e-5)
    pairs = [(conv.linear.weight, layer[0].weight) for conv, layer in zip(model.encoder.convs, plain.layers)]
    pairs += zip(model.heads.mcl.projector.parameters(), heads[0].parameters())
    pairs += zip(model.heads.mcl.image_projector.parameters(), heads[1].parameters())
    largest = max(float(theirs.grad.abs().max()) for _, theirs in pairs)
    for ours, theirs in pairs:
        assert theirs.grad.abs().max() > 0
        torch.testing.assert_close(ours.grad, theirs.grad.view_as(ours), atol=1e-4 * largest, rtol=1e-3)
    for ours, head in zip((model.heads.mcl.projector, model.heads.mcl.image_projector), heads):
        torch.testing.assert_close(ours[1].state_dict(), head[1].state_dict(), atol=1e-5, rtol=1e-4)
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_projected_apart_is_another_method(cfg, build, two_clouds, run_loss):
    joint, _, _ = run_loss(build(cfg).train(), two_clouds)
    cfg['heads']['mcl']['joint'] = False
    apart, _, _ = run_loss(build(cfg).train(), two_clouds)
    assert abs(float((joint - apart).detach())) > 1e-3


def test_any_encoder_of_points_takes_its_place(cfg, build, two_clouds, run_loss):
    cfg['encoder'] = {'type': 'PointNet', 'dim': DIM, 'point_widths': (8, 8), 'transform_widths': (8, 8, 8, 8, 8)}
    cfg['heads']['mcl']['pooling'] = ('max',)
    model = build(cfg).train()
    total, _, _ = run_loss(model, two_clouds)
    total.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


def test_under_bf16(cfg, build, two_clouds, run_loss):
    plain, _, _ = run_loss(build(cfg).train(), two_clouds)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        total, _, _ = run_loss(build(cfg).train(), two_clouds)
    assert total.dtype == torch.float32 and float(total.detach()) == pytest.approx(float(plain.detach()), rel=0.15)
