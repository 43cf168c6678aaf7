from itertools import islice

import pytest

from mmpt.engine import StepSampler
from mmpt.utils.errors import ConfigError


def draw(count, size=10, rank=0, world=1, batch=None, skip=0, **kwargs):
    sampler = StepSampler(range(size), seed=5, batch_size=batch, **kwargs)
    sampler.rank, sampler.world_size = rank, world
    sampler.skip(skip)
    return list(islice(sampler, count))


def test_every_epoch_is_a_permutation_of_its_own():
    pairs = draw(30)
    assert [epoch for epoch, _ in pairs] == [0] * 10 + [1] * 10 + [2] * 10
    orders = [[i for e, i in pairs if e == epoch] for epoch in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert draw(12, shuffle=False) == [(0, i) for i in range(10)] + [(1, 0), (1, 1)]


def test_order_depends_on_the_seed_alone():
    assert draw(20) == draw(20)
    other = StepSampler(range(10), seed=6)
    assert list(islice(other, 10)) != draw(10)


def test_two_ranks_draw_the_batches_of_one():
    whole = draw(24, batch=6)
    ranks = [draw(12, batch=3, rank=r, world=2) for r in range(2)]
    for k in range(4):
        joined = ranks[0][3 * k : 3 * k + 3] + ranks[1][3 * k : 3 * k + 3]
        assert joined == whole[6 * k : 6 * k + 6]


@pytest.mark.parametrize('world', [1, 2])
def test_skip_is_where_the_stream_would_be(world):
    whole = draw(33, batch=3, rank=world - 1, world=world)
    assert draw(12, batch=3, rank=world - 1, world=world, skip=21) == whole[21:]


def test_skipping_far_costs_nothing():
    assert draw(1, skip=10**9)[0][0] == 10**8


def test_length_is_an_epoch_of_this_process():
    sampler = StepSampler(range(11), seed=0)
    assert len(sampler) == 11
    sampler.world_size = 2
    assert len(sampler) == 6


def test_bad_input():
    with pytest.raises(ConfigError, match='empty'):
        StepSampler([])
    with pytest.raises(ConfigError, match='StepDrawsHook'):
        draw(1, world=2)
