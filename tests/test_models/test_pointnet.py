"""PointNet against the slow form, and what it may and may not depend on."""

import sys
from pathlib import Path

import pytest
import torch

from mmpt.models.encoders import PointNet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'reference'))
from pointnet import slow_pointnet  # noqa: E402


def _encoder(**kwargs):
    torch.manual_seed(0)
    args = {'dim': 12, 'point_widths': (8, 6, 8, 10), 'transform_widths': (8, 10, 16, 8, 6)}
    encoder = PointNet(**{**args, **kwargs}).double()
    for name, parameter in encoder.named_parameters():
        # Away from where they start: norms of one and matrices that turn nothing.
        if parameter.dim() == 1 or 'matrix' in name:
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return encoder


def _points(batch=3, channels=3):
    return torch.randn(batch, 20, channels, dtype=torch.double, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('switches', [(True, True), (True, False), (False, True), (False, False)])
def test_equals_the_slow_form_with_its_gradients(switches):
    encoder = _encoder(in_channels=5, input_transform=switches[0], feature_transform=switches[1]).train()
    points = _points(channels=5).requires_grad_()
    tokens, slow = encoder(points), slow_pointnet(encoder, points)
    torch.testing.assert_close(tokens.patch, slow)
    assert torch.equal(tokens.centers, points[..., :3]) and not tokens.globals
    leaves = [points, *encoder.parameters()]
    weight = torch.randn_like(slow)
    for own, other in zip(*(torch.autograd.grad((out * weight).sum(), leaves) for out in (tokens.patch, slow))):
        assert other.abs().max() > 0
        torch.testing.assert_close(own, other)


def test_matrices_turn_nothing_at_first():
    torch.manual_seed(0)
    encoder = PointNet(dim=12).eval()
    plain = PointNet(dim=12, input_transform=False, feature_transform=False).eval()
    plain.load_state_dict(encoder.state_dict(), strict=False)
    points = _points().float()
    torch.testing.assert_close(encoder(points).patch, plain(points).patch)


def test_points_in_another_order_are_tokens_in_that_order():
    encoder, points, order = _encoder().eval(), _points(), torch.randperm(20)
    tokens, turned = encoder(points), encoder(points[:, order])
    torch.testing.assert_close(tokens.patch[:, order], turned.patch)
    torch.testing.assert_close(tokens.pools()['max'], turned.pools()['max'])


def test_bf16_keeps_coordinates_in_float32():
    encoder, points, seen = _encoder().float().eval(), _points().float(), []
    for first in (encoder.layers[0][0], encoder.input_transform.of_point[0][0], encoder.layers[1][0]):
        first.register_forward_hook(lambda m, i, o: seen.append(o.dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        tokens = encoder(points)
    assert seen == [torch.float32, torch.float32, torch.bfloat16]
    torch.testing.assert_close(tokens.patch.float(), encoder(points).patch, atol=0.1, rtol=0.1)


def test_a_single_cloud_trains():
    """The layers behind the maximum see one row then, of which torch's own norm wants more."""
    encoder = _encoder().train()
    encoder(_points(1)).patch.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match='reads 6 channels.*the cloud has 3'):
        _encoder(in_channels=6)(_points())
    with pytest.raises(ValueError, match=r'at least two layers, got 3 and \(64,\)'):
        PointNet(point_widths=(64,))
