import importlib

import numpy as np
import pytest
import torch

from mmpt.ops import chamfer_distance

MODULE = importlib.import_module('mmpt.ops.chamfer_distance')
NEAREST = importlib.import_module('mmpt.ops._nearest')


def slow(x, y, norm):
    forward = [min(float(np.sum((a - b) ** 2)) for b in y) for a in x]
    backward = [min(float(np.sum((a - b) ** 2)) for a in x) for b in y]
    if norm == 'l2':
        return np.mean(forward) + np.mean(backward)
    return (np.mean(np.sqrt(forward)) + np.mean(np.sqrt(backward))) / 2


@pytest.fixture
def pair(generator):
    return torch.randn(3, 17, 3, generator=generator), torch.randn(3, 23, 3, generator=generator)


@pytest.fixture(params=['dense', 'blocks', 'tree'])
def form(request, monkeypatch):
    """Each way to compute it, whatever the size."""
    monkeypatch.setattr(MODULE, '_DENSE_PAIRS', 1 << 40 if request.param == 'dense' else 0)
    monkeypatch.setattr(NEAREST, '_TREE_PAIRS', 0 if request.param == 'tree' else 1 << 40)
    monkeypatch.setattr(NEAREST, '_BLOCK_CPU', 3 * 23 * 5)


@pytest.mark.parametrize('norm', ['l1', 'l2'])
def test_equals_slow_loop(pair, norm, form):
    expected = [slow(a.double().numpy(), b.double().numpy(), norm) for a, b in zip(*pair)]
    none = chamfer_distance(*pair, norm=norm, reduction='none')
    np.testing.assert_allclose(none.numpy(), expected, rtol=1e-6)
    assert chamfer_distance(*pair, norm=norm).item() == pytest.approx(np.mean(expected), rel=1e-6)


def test_conventions():
    x, y = torch.zeros(1, 1, 3), torch.tensor([[[2.0, 0, 0]]])
    assert chamfer_distance(x, y).item() == 8.0  # sum of the two means of squares
    assert chamfer_distance(x, y, 'l1').item() == 2.0  # half the sum of the means of distances


@pytest.mark.parametrize('norm', ['l1', 'l2'])
def test_gradient(pair, norm, form):
    x, y = (points[:2, :9].double().requires_grad_() for points in pair)
    assert torch.autograd.gradcheck(lambda a, b: chamfer_distance(a, b, norm, 'none'), (x, y))


@pytest.mark.parametrize('norm', ['l1', 'l2'])
def test_coinciding_points_have_no_gradient_and_no_nan(duplicates, norm, form):
    x, y = duplicates.clone().requires_grad_(), duplicates.flip(1).clone().requires_grad_()
    value = chamfer_distance(x, y, norm)
    value.backward()
    assert value.item() <= 1e-6
    assert torch.equal(x.grad, torch.zeros_like(x))
    assert torch.equal(y.grad, torch.zeros_like(y))


def test_large_sets_equal_dense(generator, monkeypatch):
    """Above the threshold, without touching it: the search takes another way, the value and the gradient do not."""
    x, y = torch.randn(2, 600, 3, generator=generator), torch.randn(2, 513, 3, generator=generator)
    results = []
    for limit in (MODULE._DENSE_PAIRS, 1 << 40):
        monkeypatch.setattr(MODULE, '_DENSE_PAIRS', limit)
        a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
        value = chamfer_distance(a, b)
        value.backward()
        results.append((value.detach(), a.grad, b.grad))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


def test_a_diverged_cloud_gives_nan_not_an_exception(generator):
    x, y = torch.randn(1, 600, 3, generator=generator), torch.randn(1, 600, 3, generator=generator)
    x[0, 3, 1] = float('nan')
    assert chamfer_distance(x, y).isnan()


def test_autocast_and_dtype(pair, form, bf16_autocast):
    with torch.autocast('cpu', enabled=False):
        expected = chamfer_distance(*pair, reduction='none')
    assert torch.equal(chamfer_distance(*pair, reduction='none'), expected)
    assert chamfer_distance(pair[0].double(), pair[1]).dtype == torch.float64
    assert chamfer_distance(pair[0].bfloat16(), pair[1].bfloat16()).dtype == torch.float32


def test_symmetric_and_batch_equals_single(pair, form):
    x, y = pair
    together = chamfer_distance(x, y, reduction='none')
    torch.testing.assert_close(together, chamfer_distance(y, x, reduction='none'))
    for value, a, b in zip(together, x, y):
        torch.testing.assert_close(value, chamfer_distance(a[None], b[None]))


def test_errors(pair):
    x, y = pair
    with pytest.raises(ValueError, match='at least one point in each set, got 0 and 23'):
        chamfer_distance(x[:, :0], y)
    with pytest.raises(ValueError, match="norm 'l1' or 'l2' and reduction 'mean' or 'none', got 'l3' and 'mean'"):
        chamfer_distance(x, y, 'l3')
    with pytest.raises(ValueError, match='with the same batch size'):
        chamfer_distance(x[:1], y)
