import numpy as np
import pytest
import torch

from mmpt.ops import three_interpolate


def slow(features, source, target, k, eps):
    out = np.zeros((len(target), features.shape[1]))
    for i, point in enumerate(target):
        square = np.sum((source - point) ** 2, axis=1)
        nearest = np.argsort(square, kind='stable')[:k]
        weight = 1 / (square[nearest] + eps)
        out[i] = (weight[:, None] * features[nearest]).sum(axis=0) / weight.sum()
    return out


@pytest.fixture
def data(generator):
    features = torch.randn(2, 12, 5, generator=generator)
    return features, torch.randn(2, 12, 3, generator=generator), torch.randn(2, 30, 3, generator=generator)


@pytest.mark.parametrize('k', [1, 3, 12])
def test_equals_slow_loop(data, k):
    out = three_interpolate(*data, k=k)
    expected = np.stack([slow(*arrays, k, 1e-8) for arrays in zip(*(t.double().numpy() for t in data))])
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_at_the_source_points_the_features_come_back(data):
    features, source, _ = data
    torch.testing.assert_close(three_interpolate(features, source, source), features, rtol=1e-4, atol=1e-4)


def test_weights_are_of_the_squared_distance():
    features = torch.tensor([[[0.0], [1.0]]])
    source = torch.tensor([[[0.0, 0, 0], [3.0, 0, 0]]])
    target = torch.tensor([[[1.0, 0, 0]]])
    # Distances 1 and 2: (1 / 4) / (1 / 1 + 1 / 4).
    assert three_interpolate(features, source, target, k=2).item() == pytest.approx(0.2, abs=1e-6)


def test_constant_features_stay_constant_with_duplicates(duplicates):
    features = torch.full((2, 24, 2), 3.0)
    torch.testing.assert_close(three_interpolate(features, duplicates, duplicates), features)


def test_gradient_goes_to_the_features_only(data):
    features, source, target = (tensor.double().requires_grad_() for tensor in data)
    assert torch.autograd.gradcheck(lambda f: three_interpolate(f, source, target), features)
    three_interpolate(features, source, target).sum().backward()
    assert source.grad is None and target.grad is None
    # The weights of every target sum to one.
    torch.testing.assert_close(features.grad.sum(dim=1), torch.full((2, 5), 30.0, dtype=torch.float64))


def test_gradient_equals_slow_loop(data, generator):
    features, source, target = (tensor.double() for tensor in data)
    upstream = torch.randn(2, 30, 5, generator=generator, dtype=torch.float64)
    three_interpolate(features.requires_grad_(), source, target).backward(upstream)
    # What every target takes of every source point.
    shares = [slow(np.eye(12), *(points.numpy() for points in row), 3, 1e-8) for row in zip(source, target)]
    expected = np.stack([share.T @ row.numpy() for share, row in zip(shares, upstream)])
    np.testing.assert_allclose(features.grad.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_autocast_and_dtype(data, bf16_autocast):
    with torch.autocast('cpu', enabled=False):
        expected = three_interpolate(*data)
    assert torch.equal(three_interpolate(*data), expected)
    features, source, target = data
    half = three_interpolate(features.bfloat16(), source, target)
    assert half.dtype == torch.bfloat16
    rounded = three_interpolate(features.bfloat16().float(), source, target)
    assert torch.equal(half, rounded.bfloat16())


def test_batch_equals_single(data):
    out = three_interpolate(*data)
    for row, parts in zip(out, zip(*data)):
        torch.testing.assert_close(row, three_interpolate(*(part[None] for part in parts))[0])


def test_errors(data):
    features, source, target = data
    with pytest.raises(ValueError, match='three_interpolate: asked for 3 of 2 source points; lower k'):
        three_interpolate(features[:, :2], source[:, :2], target)
    with pytest.raises(ValueError, match='expected one feature per source point'):
        three_interpolate(features[:, :2], source, target)
