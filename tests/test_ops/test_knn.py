import importlib

import numpy as np
import pytest
import torch

from mmpt.ops import Neighbours, knn

MODULE = importlib.import_module('mmpt.ops.knn')
NEAREST = importlib.import_module('mmpt.ops._nearest')


def slow(query, reference, k):
    """One cloud in plain numpy: nearest first, ties by index."""
    rows = []
    for point in query:
        distance = [float(np.sum((point - other) ** 2)) for other in reference]
        rows.append(sorted(range(len(reference)), key=lambda i: (distance[i], i))[:k])
    return rows


@pytest.mark.parametrize('k', [1, 5, 40])
def test_equals_slow_loop(clouds, k):
    query = clouds[:, :11] + 0.1
    index = knn(query, clouds, k)
    assert index.dtype == torch.int64
    assert index.shape == (3, 11, k)
    assert index.tolist() == [slow(q, p, k) for q, p in zip(query.double().numpy(), clouds.double().numpy())]


def test_distances(clouds):
    found = knn(clouds, clouds, 6, return_distance=True)
    assert isinstance(found, Neighbours)
    assert torch.equal(found.index, knn(clouds, clouds, 6))
    assert torch.equal(found.index[:, :, 0], torch.arange(40).expand(3, 40))
    assert torch.equal(found.distance[:, :, 0], torch.zeros(3, 40))
    exact = torch.cdist(clouds.double(), clouds.double()).sort(dim=2).values[:, :, :6]
    torch.testing.assert_close(found.distance.double(), exact, rtol=1e-6, atol=1e-7)


def test_ties_go_to_the_lowest_index(duplicates):
    index = knn(duplicates, duplicates, 24)
    assert index.tolist() == [slow(cloud, cloud, 24) for cloud in duplicates.double().numpy()]


def test_ties_in_float64_are_the_right_set(duplicates):
    found = knn(duplicates.double(), duplicates.double(), 7, return_distance=True)
    assert found.distance.dtype == torch.float64
    expected = knn(duplicates, duplicates, 7, return_distance=True).distance
    torch.testing.assert_close(found.distance, expected.double())


def test_far_from_the_origin_keeps_its_digits(clouds):
    """The matrix-product form of the distance would lose all of them here."""
    grid = (clouds * 64).round() / 64
    near = knn(grid, grid, 8, return_distance=True)
    far = knn(grid + 1000, grid + 1000, 8, return_distance=True)
    assert torch.equal(near.index, far.index)
    assert torch.equal(near.distance, far.distance)


def test_feature_space(generator):
    features = torch.randn(2, 60, 48, generator=generator)
    found = knn(features, features, 5, return_distance=True)
    exact = torch.cdist(features.double(), features.double()).sort(dim=2).values[:, :, :5]
    torch.testing.assert_close(found.distance.double(), exact, rtol=1e-4, atol=1e-2)


def test_blocks_equal_whole(clouds, monkeypatch):
    expected = knn(clouds, clouds, 9, return_distance=True)
    monkeypatch.setattr(NEAREST, '_BLOCK_CPU', 3 * 40 * 7)
    found = knn(clouds, clouds, 9, return_distance=True)
    assert torch.equal(found.index, expected.index)
    assert torch.equal(found.distance, expected.distance)


def test_autocast_changes_nothing(clouds, generator, bf16_autocast):
    features = torch.randn(2, 60, 48, generator=generator)
    for values in (clouds, features):
        with torch.autocast('cpu', enabled=False):
            expected = knn(values, values, 5, return_distance=True)
        found = knn(values, values, 5, return_distance=True)
        assert torch.equal(found.index, expected.index)
        assert torch.equal(found.distance, expected.distance)


def test_batch_equals_single_and_no_gradient(clouds):
    together = knn(clouds.requires_grad_(), clouds, 4, return_distance=True)
    assert not together.distance.requires_grad
    for row, cloud in zip(together.index, clouds):
        assert torch.equal(row, knn(cloud[None], cloud[None], 4)[0])


def test_one_point():
    assert knn(torch.zeros(1, 2, 3), torch.ones(1, 1, 3), 1).tolist() == [[[0], [0]]]


@pytest.mark.parametrize('k', [0, 41])
def test_k_that_does_not_fit(clouds, k):
    with pytest.raises(ValueError, match=f'knn: asked for {k} neighbours among 40 points; ask for 1 to 40'):
        knn(clouds, clouds, k)


def test_shapes_that_do_not_fit(clouds):
    with pytest.raises(ValueError, match='knn: expected query and reference with the same batch size'):
        knn(clouds[:2], clouds, 1)
    with pytest.raises(ValueError, match='knn: expected reference of shape'):
        knn(clouds, clouds[0], 1)


def test_mmcv_path(clouds, fake_mmcv, monkeypatch):
    expected = knn(clouds[:, ::2], clouds, 6, return_distance=True)
    monkeypatch.setattr(MODULE, 'fast_ops', lambda tensor: fake_mmcv)
    monkeypatch.delattr(MODULE, '_reference')
    found = knn(clouds[:, ::2], clouds, 6, return_distance=True)
    assert found.index.dtype == torch.int64
    assert torch.equal(found.index, expected.index)
    torch.testing.assert_close(found.distance, expected.distance)


def test_mmcv_is_not_asked_for_what_it_cannot_do(generator, monkeypatch):
    def fail(tensor):
        raise AssertionError('mmcv was asked')

    monkeypatch.setattr(MODULE, 'fast_ops', fail)
    many = torch.randn(1, 120, 3, generator=generator)
    assert knn(many, many, 100).shape == (1, 120, 100)
    assert knn(many.repeat(1, 1, 2), many.repeat(1, 1, 2), 3).shape == (1, 120, 3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('k', [5, 40])
def test_cuda_equals_cpu(clouds, k):
    expected = knn(clouds, clouds, k, return_distance=True)
    found = knn(clouds.cuda(), clouds.cuda(), k, return_distance=True)
    torch.testing.assert_close(found.distance.cpu(), expected.distance)
