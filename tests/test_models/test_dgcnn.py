"""DGCNN against its plain form, in which every edge is built, and what it may and may not depend on."""

import sys
from pathlib import Path

import pytest
import torch

from mmpt.models.encoders import DGCNN
from mmpt.models.layers import BatchNorm, EdgeConv, Moments
from mmpt.ops import knn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'reference'))
from dgcnn import EveryEdge, slow_edge_conv  # noqa: E402

WIDTHS = (8, 6, 10, 12)


def _encoder(dtype=torch.double, **kwargs):
    torch.manual_seed(0)
    encoder = DGCNN(**{'dim': 16, 'k': 5, 'edge_widths': WIDTHS, **kwargs}).to(dtype)
    for conv in encoder.convs:
        # Norms with weights of both signs: below zero the largest edge comes out smallest.
        conv.norm.weight.data.copy_(torch.linspace(-1.6, 2.3, len(conv.norm.weight)))
        conv.norm.bias.data.normal_()
    return encoder


def _points(batch=3, num=40, channels=3, dtype=torch.double):
    points = torch.randn(batch, num, channels, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    return points.to(dtype)


def _graphs_of(encoder):
    """Collect the graphs that the encoder draws."""
    graphs, own = [], encoder.neighbours
    encoder.neighbours = lambda features: graphs.append(own(features)) or graphs[-1]
    return graphs


def test_edge_convolution_equals_a_slow_loop():
    torch.manual_seed(0)
    conv, x, near = EdgeConv(4, 6).double().train(), torch.randn(1, 9, 4).double(), torch.randint(9, (1, 9, 3))
    conv.norm.weight.data.copy_(torch.tensor([1.0, -1.0, 2.0, -0.5, 0.1, 0.0]))
    slow = slow_edge_conv(x[0], near[0], conv.linear.weight, conv.norm.weight, conv.norm.bias)
    torch.testing.assert_close(conv(x, near)[0], slow)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('channels', [3, 6])
def test_equals_the_plain_form_with_gradients_and_statistics(training, channels):
    encoder = _encoder(in_channels=channels)
    for module in encoder.modules():
        if isinstance(module, BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    plain = EveryEdge(channels, 16, 5, WIDTHS).double().take(encoder).train(training)
    encoder.train(training)
    points = _points(channels=channels).requires_grad_()
    graphs = _graphs_of(encoder)
    tokens = encoder(points)
    assert torch.equal(tokens.centers, points[..., :3]) and not tokens.globals
    for out in (tokens.patch, plain(points.mT, graphs).mT):
        weight = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(2))
        (out * weight).sum().backward()
        if out is tokens.patch:
            own, of_points, points.grad = out, points.grad, None
    torch.testing.assert_close(own, out)
    torch.testing.assert_close(of_points, points.grad)
    layers = [*plain.layers, plain.last]
    ours = [*((conv.linear, conv.norm) for conv in encoder.convs), (encoder.outlet, encoder.outlet_norm)]
    for (linear, norm), layer in zip(ours, layers, strict=True):
        torch.testing.assert_close(linear.weight.grad, layer[0].weight.grad.view_as(linear.weight))
        for name in ('weight', 'bias'):
            torch.testing.assert_close(getattr(norm, name).grad, getattr(layer[1], name).grad)
        for name in ('running_mean', 'running_var', 'num_batches_tracked'):
            torch.testing.assert_close(getattr(norm, name), getattr(layer[1], name))
        assert int(norm.num_batches_tracked) == training


def test_own_graphs_are_those_of_the_plain_form():
    encoder = _encoder(torch.float32).train()
    plain = EveryEdge(3, 16, 5, WIDTHS).take(encoder).train()
    graphs, points = _graphs_of(encoder), _points(dtype=torch.float32)
    own = encoder(points).patch
    torch.testing.assert_close(own, plain(points.mT).mT, atol=1e-5, rtol=1e-5)
    assert len(graphs) == 4
    # A point is among its neighbours, and later graphs are not that of the coordinates.
    assert all((graph == torch.arange(40)[None, :, None]).any(2).all() for graph in graphs)
    assert (graphs[1].sort(2).values != graphs[0].sort(2).values).any()


def test_the_first_graph_is_that_of_the_coordinates():
    encoder, points = _encoder(in_channels=6).eval(), _points(channels=6)
    graphs = _graphs_of(encoder)
    encoder(points)
    assert torch.equal(graphs[0], knn(points[..., :3], points[..., :3], 5))


def test_float32_holds_where_neighbours_are_close_and_only_they_count():
    """Edges are then small differences of what the points have; a variance by squares would lose their digits."""
    torch.manual_seed(0)
    points = _points(num=400) * 0.01 + 1.0
    near = knn(points, points, 5)
    conv = EdgeConv(3, 8).double().train()
    conv.linear.weight.data[:, 3:] = 0
    exact = conv(points, near)
    again = EdgeConv(3, 8).train()
    again.load_state_dict(conv.state_dict())
    again.norm.reset_running_stats()
    # Coordinates of 1 are rounded to 6e-8, which is 6e-5 of a difference of 1e-3.
    torch.testing.assert_close(again(points.float(), near).double(), exact, atol=3e-4, rtol=0)


def test_no_edge_is_kept_for_the_way_back():
    encoder, points, sizes = _encoder(torch.float32, dim=8).train(), _points(dtype=torch.float32), []
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: sizes.append(kept.numel()) or kept, lambda kept: kept):
        encoder(points)
    # The graph itself is the largest of all, 5 numbers a point; then come the concatenated features.
    assert max(sizes) <= 3 * 40 * sum(WIDTHS) < 3 * 40 * 5 * max(WIDTHS)


def test_points_in_another_order_are_tokens_in_that_order():
    encoder, points, order = _encoder().eval(), _points(), torch.randperm(40)
    tokens, turned = encoder(points), encoder(points[:, order])
    torch.testing.assert_close(tokens.patch[:, order], turned.patch)
    torch.testing.assert_close(tokens.centers[:, order], turned.centers)


def test_a_cloud_knows_nothing_of_the_others_in_evaluation():
    encoder, points = _encoder().eval(), _points()
    torch.testing.assert_close(encoder(points).patch[1:2], encoder(points[1:2]).patch)


def test_dropped_points_that_lie_on_one_spot_are_fine():
    """CrossPoint's augmentation puts most points of some clouds onto their first."""
    encoder, points = _encoder().train(), _points()
    points[0, 4:] = points[0, 0]
    tokens = encoder(points)
    # All of them see nothing but each other.
    torch.testing.assert_close(tokens.patch[0, 4:], tokens.patch[0, :1].expand(36, -1))
    tokens.patch.square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_bf16_keeps_graphs_and_edges_in_float32():
    encoder, points = _encoder(torch.float32).eval(), _points(dtype=torch.float32)
    graphs = _graphs_of(encoder)
    plain = encoder(points).patch
    with torch.autocast('cpu', dtype=torch.bfloat16):
        tokens = encoder(points)
    assert all(torch.equal(a, b) for a, b in zip(graphs[:4], graphs[4:], strict=True))
    assert tokens.patch.dtype == torch.bfloat16
    torch.testing.assert_close(tokens.patch.float(), plain, atol=0.05, rtol=0.05)


def test_norm_by_moments_is_the_norm_of_the_rows():
    rows = torch.randn(50, 4, dtype=torch.double) * 3 + 2
    one, other = BatchNorm(4).double().train(), BatchNorm(4).double().train()
    scale, shift = one.scale_and_shift(Moments(50, rows.sum(0), rows.square().sum(0)))
    torch.testing.assert_close(rows * scale + shift, other(rows))
    torch.testing.assert_close(one.state_dict(), other.state_dict())
    scale, shift = one.eval().scale_and_shift(None)
    torch.testing.assert_close(rows * scale + shift, other.eval()(rows))


def test_bad_clouds_are_named():
    with pytest.raises(ValueError, match='reads 6 channels.*the cloud has 3'):
        _encoder(in_channels=6)(_points())
    with pytest.raises(ValueError, match='asked for 5 neighbours among 4 points'):
        _encoder()(_points(num=4))
    with pytest.raises(ValueError, match='counts the 3 coordinates, got 2'):
        DGCNN(in_channels=2)
