"""Clouds that the tests of the operations share, and what mmcv's CUDA operations would answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def clouds(generator):
    """(3, 40, 3) float32."""
    return torch.randn(3, 40, 3, generator=generator)


@pytest.fixture
def duplicates(generator):
    """(2, 24, 3): eight distinct points, each three times, on a grid, so that there are exact ties too."""
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).repeat(3, 1)
    return torch.stack([corners[torch.randperm(24, generator=generator)] for _ in range(2)])


@pytest.fixture
def bf16_autocast():
    with torch.autocast('cpu', dtype=torch.bfloat16):
        # A matrix product shows that autocast is on; else the tests under it would prove nothing.
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
        yield


def _squared(query, reference):
    return (query[:, :, None] - reference[:, None]).square().sum(dim=3)


def _sample(points, num):
    index = torch.zeros(points.shape[0], num, dtype=torch.int32)
    nearest = torch.full(points.shape[:2], 1e10)
    for step in range(1, num):
        last = points[torch.arange(len(points)), index[:, step - 1].long()]
        nearest = torch.minimum(nearest, (points - last[:, None]).square().sum(dim=2))
        index[:, step] = nearest.argmax(dim=1).int()
    return index


def _neighbours(k, xyz, center_xyz, transposed=False):
    assert not transposed and k < 100
    return _squared(center_xyz, xyz).argsort(dim=2)[:, :, :k].transpose(1, 2).contiguous().int()


def _ball(min_radius, max_radius, k, xyz, center_xyz):
    inside = _squared(center_xyz, xyz) < max_radius**2
    index = torch.zeros(*inside.shape[:2], k, dtype=torch.int32)
    for batch, row in torch.cartesian_prod(*map(torch.arange, inside.shape[:2])).tolist():
        found = inside[batch, row].nonzero()[:k, 0].int()
        if len(found):
            index[batch, row] = found[0]
            index[batch, row, : len(found)] = found
    return index


@pytest.fixture
def fake_mmcv():
    """Stands in for ``mmcv.ops``: the signatures, dtypes, layouts and habits of its kernels, on the CPU."""
    return SimpleNamespace(
        furthest_point_sample=_sample,
        knn=_neighbours,
        ball_query=_ball,
        get_compiling_cuda_version=lambda: '12.4',
    )
