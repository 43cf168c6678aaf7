"""The norm of a sum that is never built, against torch's norm of the sum."""

import pytest
import torch
import torch.nn.functional as F

from mmpt.models.layers import BatchNorm, normed_fold


def both(shared, training, dtype=torch.float64, offset=0.0):
    """Value, gradients and running statistics by ``normed_fold``, and by torch's norm of all rows."""
    torch.manual_seed(0)
    features = (torch.randn(5, 7) + offset).to(dtype)
    places, weight = torch.randn(1 if shared else 5, 6, 3).to(dtype), torch.randn(7, 3).to(dtype)
    grad, found = torch.randn(5, 6, 7).to(dtype), []
    for plain in (False, True):
        torch.manual_seed(1)
        norm = BatchNorm(7).to(dtype).train(training)
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            torch.nn.init.uniform_(values, 0.5, 2)
        inputs = [x.clone().requires_grad_() for x in (features, places, weight)]
        if plain:
            rows = inputs[0].unsqueeze(1) + inputs[1] @ inputs[2].T
            y = F.batch_norm(
                rows.flatten(0, 1), norm.running_mean, norm.running_var, norm.weight, norm.bias, training, 0.1, norm.eps
            )
            value = F.relu(y.view_as(rows))
        else:
            value = normed_fold(*inputs, norm)
        grads = torch.autograd.grad(value, [*inputs, norm.weight, norm.bias], grad)
        found.append((value, *grads, norm.running_mean, norm.running_var))
    return found


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('shared', [False, True])
def test_it_is_the_norm_of_the_sum(shared, training):
    for one, other in zip(*both(shared, training), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_a_large_mean_costs_no_digits_of_the_variance():
    """In float32 a variance of 1 beside a mean of 300 would lose half its digits as a difference of squares."""
    for one, other in zip(*both(False, True, torch.float32, offset=300.0), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


def test_a_single_process_without_rows_goes_on():
    norm = BatchNorm(7).train()
    assert normed_fold(torch.zeros(0, 7), torch.randn(1, 6, 3), torch.randn(7, 3), norm).shape == (0, 6, 7)
    assert torch.equal(norm.running_mean, torch.zeros(7)) and torch.equal(norm.running_var, torch.ones(7))
