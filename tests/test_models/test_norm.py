"""The path of several processes, run in one, gives what torch's own kernel gives."""

import torch

from mmpt.models.layers import BatchNorm
from mmpt.models.layers.norm import _over_all_ranks


def test_norm_over_unequal_and_empty_rows_is_plain_batch_norm():
    draws = torch.Generator().manual_seed(0)
    ours, plain = BatchNorm(5).train(), torch.nn.BatchNorm1d(5).train()
    weight, upstream = torch.rand(5, generator=draws) + 0.5, torch.randn(9, 5, generator=draws)
    inputs = [torch.randn(9, 5, generator=draws).requires_grad_()]
    inputs.append(inputs[0].detach().clone().requires_grad_())
    for norm in (ours, plain):
        norm.weight.data.copy_(weight)
    results = [_over_all_ranks(ours, inputs[0]), plain(inputs[1])]
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-5)
    for result in results:
        result.backward(upstream)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, atol=1e-5, rtol=1e-5)
    for name in ('weight', 'bias'):
        torch.testing.assert_close(getattr(ours, name).grad, getattr(plain, name).grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.running_mean, plain.running_mean)
    torch.testing.assert_close(ours.running_var, plain.running_var)
    before = ours.running_mean.clone()
    assert _over_all_ranks(ours, torch.zeros(0, 5)).shape == (0, 5)
    assert torch.equal(ours.running_mean, before)
