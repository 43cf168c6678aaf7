import importlib

import numpy as np
import pytest
import torch

from mmpt.ops import farthest_point_sample

MODULE = importlib.import_module('mmpt.ops.farthest_point_sample')


def slow(points, num, start):
    """One cloud, as the definition says, in plain numpy; ties to the lowest index, nothing twice."""
    chosen = [start]
    while len(chosen) < num:
        best, best_distance = None, -1.0
        for i in range(len(points)):
            if i in chosen:
                continue
            distance = min(float(np.sum((points[i] - points[j]) ** 2)) for j in chosen)
            if distance > best_distance:
                best, best_distance = i, distance
        chosen.append(best)
    return chosen


@pytest.mark.parametrize('start', [0, 7])
def test_equals_slow_loop(clouds, start):
    index = farthest_point_sample(clouds, 16, start)
    assert index.dtype == torch.int64
    assert index.tolist() == [slow(cloud.double().numpy(), 16, start) for cloud in clouds]


def test_start_per_cloud(clouds):
    start = torch.tensor([5, 0, 39])
    index = farthest_point_sample(clouds, 10, start)
    single = [farthest_point_sample(cloud[None], 10, int(first))[0] for cloud, first in zip(clouds, start)]
    assert torch.equal(index[:, 0], start)
    assert torch.equal(index, torch.stack(single))


def test_ties_and_duplicates(duplicates):
    index = farthest_point_sample(duplicates, 24)
    assert index.tolist() == [slow(cloud.double().numpy(), 24, 0) for cloud in duplicates]
    # The eight distinct positions come first, then the rest in ascending order; nothing is chosen twice.
    for cloud, row in zip(duplicates, index):
        assert len(torch.unique(cloud[row[:8]], dim=0)) == 8
        assert torch.equal(row[8:], row[8:].sort().values)
        assert torch.equal(row.sort().values, torch.arange(24))


def test_all_points_and_one_point(clouds):
    assert torch.equal(farthest_point_sample(clouds, 40).sort(dim=1).values, torch.arange(40).expand(3, 40))
    assert farthest_point_sample(clouds[:, :1], 1).tolist() == [[0], [0], [0]]


def test_points_near_the_origin_are_candidates():
    points = torch.tensor([[[1.0, 0, 0], [1.0, 0.1, 0], [0.0, 0, 0]]])
    assert farthest_point_sample(points, 2).tolist() == [[0, 2]]


def test_autocast_and_dtypes(clouds, bf16_autocast):
    with torch.autocast('cpu', enabled=False):
        expected = farthest_point_sample(clouds, 20)
    assert torch.equal(farthest_point_sample(clouds, 20), expected)
    assert torch.equal(farthest_point_sample(clouds.double(), 20), expected)
    rounded = clouds.bfloat16()
    assert torch.equal(farthest_point_sample(rounded, 20), farthest_point_sample(rounded.float(), 20))


def test_input_is_not_changed(clouds):
    before = clouds.clone()
    farthest_point_sample(clouds.requires_grad_(), 10)
    assert torch.equal(clouds, before)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((64,), 'farthest_point_sample: asked for 64 of 40 points'),
        ((0,), 'asked for 0 of 40'),
        ((4, 40), r'start in \[0, 40\), got 40'),
        ((4, torch.tensor([0, -1, 2])), r'start in \[0, 40\)'),
        ((4, torch.tensor([0, 1])), r'start of shape \(3,\) int64'),
    ],
)
def test_errors(clouds, arguments, message):
    with pytest.raises(ValueError, match=message):
        farthest_point_sample(clouds, *arguments)


def test_wrong_shape():
    with pytest.raises(ValueError, match=r'expected points of shape \(B, N, 3\), got \(40, 3\)'):
        farthest_point_sample(torch.zeros(40, 3), 4)


@pytest.mark.parametrize('start', [0, 7, torch.tensor([5, 0, 39])])
def test_mmcv_path_starts_where_asked(clouds, fake_mmcv, monkeypatch, start):
    expected = farthest_point_sample(clouds, 16, start)
    monkeypatch.setattr(MODULE, 'fast_ops', lambda tensor: fake_mmcv)
    monkeypatch.delattr(MODULE, '_reference')
    index = farthest_point_sample(clouds, 16, start)
    assert index.dtype == torch.int64
    assert torch.equal(index, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('start', [0, 3])
def test_cuda_equals_cpu(clouds, start):
    found = farthest_point_sample(clouds.cuda(), 16, start)
    assert torch.equal(found.cpu(), farthest_point_sample(clouds, 16, start))
