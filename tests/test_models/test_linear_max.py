"""The maximum behind a linear layer against its plain form."""

import pytest
import torch
from torch import nn

from mmpt.models.layers import linear_max


def both(rows, size, linear, grad):
    """Value and gradients by ``linear_max``, and by torch's own maximum."""
    found = []
    for form in (lambda x: linear_max(x, size, linear), lambda x: linear(x).view(-1, size, len(grad[0])).max(1)[0]):
        x = rows.clone().requires_grad_()
        value = form(x)
        found.append((value, *torch.autograd.grad(value, [x, linear.weight, linear.bias], grad)))
    return found


@pytest.mark.parametrize(('patches', 'size', 'into', 'out'), [(5, 8, 3, 7), (1, 32, 16, 4), (6, 1, 2, 3)])
def test_values_and_gradients_are_those_of_the_plain_form(patches, size, into, out):
    torch.manual_seed(0)
    linear = nn.Linear(into, out).double()
    rows, grad = torch.randn(patches * size, into).double(), torch.randn(patches, out).double()
    ours, plain = both(rows, size, linear, grad)
    assert type(ours[0].grad_fn).__name__ == '_LinearMaxBackward'
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_of_equal_points_the_first_takes_the_gradient():
    linear = nn.Linear(3, 4)
    rows = torch.randn(6, 3).repeat_interleave(2, 0)
    ours, plain = both(rows, 4, linear, torch.ones(3, 4))
    torch.testing.assert_close(ours[1], plain[1])
    assert ours[1][1::2].abs().max() == 0 < ours[1][::2].abs().max()


def test_rows_without_gradient_and_frozen_layers():
    """Coordinates need none; of a frozen layer nothing but the value is asked, or the gradient of the rows alone."""
    linear = nn.Linear(3, 4)
    rows = torch.randn(12, 3)
    linear_max(rows, 4, linear).sum().backward()
    assert linear.bias.grad.tolist() == [3.0] * 4 and rows.grad is None
    linear.requires_grad_(False)
    assert not linear_max(rows, 4, linear).requires_grad
    asked = rows.clone().requires_grad_()
    linear_max(asked, 4, linear).sum().backward()
    assert asked.grad.abs().sum() > 0


def test_under_autocast_it_is_the_plain_form():
    linear, rows = nn.Linear(3, 4), torch.randn(12, 3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = linear_max(rows, 4, linear)
        assert torch.equal(value, linear(rows).view(3, 4, 4).amax(1)) and value.dtype == torch.bfloat16
