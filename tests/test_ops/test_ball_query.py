import importlib

import numpy as np
import pytest
import torch

from mmpt.ops import ball_query

MODULE = importlib.import_module('mmpt.ops.ball_query')
NEAREST = importlib.import_module('mmpt.ops._nearest')


def slow(query, reference, radius, k):
    rows = []
    for point in query:
        distance = np.sqrt(np.sum((reference - point) ** 2, axis=1))
        found = [i for i in range(len(reference)) if distance[i] < radius][:k] or [int(distance.argmin())]
        rows.append(found + [found[0]] * (k - len(found)))
    return rows


@pytest.mark.parametrize(('radius', 'k'), [(0.2, 4), (0.9, 8), (10.0, 8), (0.9, 40), (10.0, 40), (0.9, 50)])
def test_equals_slow_loop(clouds, radius, k):
    query = clouds[:, :13] + 0.3
    index = ball_query(query, clouds, radius, k)
    assert index.dtype == torch.int64
    pairs = zip(query.double().numpy(), clouds.double().numpy())
    assert index.tolist() == [slow(q, p, radius, k) for q, p in pairs]


def test_the_radius_itself_is_outside():
    reference = torch.tensor([[[1.0, 0, 0], [0.5, 0, 0], [2.0, 0, 0]]])
    assert ball_query(torch.zeros(1, 1, 3), reference, 1.0, 3).tolist() == [[[1, 1, 1]]]


def test_empty_ball_takes_the_nearest():
    reference = torch.tensor([[[3.0, 0, 0], [2.0, 0, 0], [2.0, 0, 0]]])
    assert ball_query(torch.zeros(1, 1, 3), reference, 0.1, 2).tolist() == [[[1, 1]]]


def test_duplicates(duplicates):
    index = ball_query(duplicates, duplicates, 0.5, 4)
    assert index.tolist() == [slow(cloud, cloud, 0.5, 4) for cloud in duplicates.double().numpy()]


def test_blocks_equal_whole(clouds, monkeypatch):
    expected = ball_query(clouds, clouds, 0.7, 5)
    monkeypatch.setattr(NEAREST, '_BLOCK_CPU', 3 * 40 * 7)
    assert torch.equal(ball_query(clouds, clouds, 0.7, 5), expected)


def test_autocast_batch_and_dtype(clouds, bf16_autocast):
    with torch.autocast('cpu', enabled=False):
        expected = ball_query(clouds, clouds, 0.7, 5)
    assert torch.equal(ball_query(clouds, clouds, 0.7, 5), expected)
    assert torch.equal(ball_query(clouds.double(), clouds, 0.7, 5), expected)
    assert torch.equal(ball_query(clouds[1:2], clouds[1:2], 0.7, 5), expected[1:2])


@pytest.mark.parametrize(('radius', 'k'), [(0.0, 1), (1.0, 0), (float('nan'), 1)])
def test_errors(clouds, radius, k):
    with pytest.raises(ValueError, match='ball_query: expected k >= 1, radius > 0 and at least one reference point'):
        ball_query(clouds, clouds, radius, k)
    with pytest.raises(ValueError, match='at least one reference point'):
        ball_query(clouds, clouds[:, :0], 1.0, 1)


@pytest.mark.parametrize('radius', [0.2, 0.9])
def test_mmcv_path(clouds, fake_mmcv, monkeypatch, radius):
    query = clouds[:, :13] + 0.3
    expected = ball_query(query, clouds, radius, 6)
    monkeypatch.setattr(MODULE, 'fast_ops', lambda tensor: fake_mmcv)
    monkeypatch.delattr(MODULE, '_reference')
    found = ball_query(query, clouds, radius, 6)
    assert found.dtype == torch.int64
    assert torch.equal(found, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_cuda_equals_cpu(clouds):
    query = clouds[:, :13] + 0.3
    found = ball_query(query.cuda(), clouds.cuda(), 0.9, 6)
    assert torch.equal(found.cpu(), ball_query(query, clouds, 0.9, 6))
