"""The maximum over neighbours against building every edge."""

import pytest
import torch

from mmpt.models.layers.neighbour_max import neighbour_max


def both(rows, index, grad):
    """Value and gradient by ``neighbour_max``, and by torch's own maximum over all edges."""
    found = []
    for form in (neighbour_max, lambda x, index: x[index].max(1)[0]):
        x = rows.clone().requires_grad_()
        value = form(x, index)
        found.append((value.detach(), *torch.autograd.grad(value, x, grad)))
    return found


@pytest.mark.parametrize('block', [1, 40, 1 << 19])
@pytest.mark.parametrize(('rows', 'points', 'k', 'channels'), [(9, 7, 4, 5), (1, 3, 2, 8), (30, 30, 1, 3)])
def test_values_and_gradients_are_those_of_all_edges(rows, points, k, channels, block, monkeypatch):
    monkeypatch.setattr('mmpt.models.layers.neighbour_max._BLOCK_CPU', block)
    torch.manual_seed(0)
    table, grad = torch.randn(rows, channels).double(), torch.randn(points, channels).double()
    ours, plain = both(table, torch.randint(rows, (points, k)), grad)
    assert torch.equal(ours[0], plain[0])
    torch.testing.assert_close(ours[1], plain[1], rtol=1e-12, atol=1e-12)


def test_of_equal_neighbours_the_first_takes_the_gradient():
    table = torch.tensor([[0.0], [2.0], [2.0], [1.0]])
    ours, plain = both(table, torch.tensor([[0, 2, 1], [1, 2, 3], [3, 0, 0]]), torch.tensor([[1.0], [10.0], [100.0]]))
    assert ours[1].tolist() == plain[1].tolist() == [[0.0], [10.0], [1.0], [100.0]]


def test_255_neighbours_are_the_most():
    table = torch.arange(300.0).view(-1, 1)
    ours, plain = both(table, torch.arange(255).view(1, -1), torch.ones(1, 1))
    assert torch.equal(ours[0], plain[0]) and torch.equal(ours[1], plain[1])
    with pytest.raises(ValueError, match='at most 255 neighbours of a point, got 256'):
        neighbour_max(table, torch.arange(256).view(1, -1))


def test_a_nan_is_not_hidden():
    """The check of the losses has to see it."""
    table = torch.tensor([[1.0], [float('nan')], [3.0]], requires_grad=True)
    value = neighbour_max(table, torch.tensor([[0, 1, 2]]))
    assert bool(value.isnan())
    (grad,) = torch.autograd.grad(value, table, torch.ones(1, 1))
    assert grad.sum() == 1
