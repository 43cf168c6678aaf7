import numpy as np
import pytest

from mmpt.evaluation import Interval, bootstrap, paired_bootstrap


def _runs(seed, runs, items, chance):
    return np.random.default_rng(seed).random((runs, items)) < chance


def test_the_interval_is_that_of_a_slow_loop_with_the_same_draws():
    ours, theirs = _runs(0, 3, 40, 0.8), _runs(1, 2, 40, 0.6)
    (found,) = paired_bootstrap([(ours, theirs)], draws=500, seed=7)
    rng = np.random.default_rng(7)
    means = []
    for _ in range(500):
        total = 0.0
        for item in rng.integers(40, size=40):
            total += ours[:, item].sum() / 3 - theirs[:, item].sum() / 2
        means.append(total / 40)
    assert found.mean == pytest.approx(ours.mean() - theirs.mean())
    assert found[1:] == pytest.approx(np.quantile(means, [0.025, 0.975]))


def test_pairs_share_their_draws_and_chunks_do_not_show(monkeypatch):
    a, b, c = _runs(0, 3, 50, 0.8), _runs(1, 3, 50, 0.6), _runs(2, 1, 50, 0.5)
    together = paired_bootstrap([(a, b), (a, c), (b, a)], draws=300)
    assert together[1] == pytest.approx(paired_bootstrap([(a, c[0])], draws=300)[0])
    assert (together[2].low, together[2].high) == pytest.approx((-together[0].high, -together[0].low))
    monkeypatch.setattr(bootstrap, '_CHUNK_BYTES', 8 * 50 * 7)
    assert paired_bootstrap([(a, b)], draws=300)[0] == pytest.approx(together[0])
    assert paired_bootstrap([(a, b)], draws=300, seed=1)[0] != together[0]


def test_equal_sides_leave_nothing_and_one_side_right_everywhere_leaves_one():
    runs = _runs(0, 3, 30, 0.7)
    assert paired_bootstrap([(runs, runs)]) == [Interval(0.0, 0.0, 0.0)]
    assert paired_bootstrap([(np.ones((2, 30), bool), np.zeros((1, 30), bool))]) == [Interval(1.0, 1.0, 1.0)]
    assert str(Interval(0.02, -0.001, 0.0351)) == '+0.020 [-0.001, +0.035]'


def test_pairing_takes_what_items_have_in_common_out():
    """Both sides fail on the same hard items: unpaired, their difference would vary several times as much."""
    hard = np.random.default_rng(0).random(400) < 0.4
    theirs = ~hard
    ours = theirs.copy()
    ours[np.flatnonzero(hard)[:8]] = True
    (paired,) = paired_bootstrap([(ours, theirs)])
    (alone,) = paired_bootstrap([(ours, np.random.default_rng(1).permutation(theirs))])
    assert paired.low > 0 and alone.low < 0 < alone.high


def test_coverage_is_what_the_level_says():
    rng = np.random.default_rng(0)
    inside, trials = 0, 200
    for trial in range(trials):
        # Right on an item with .8 and .7, and more often together than by chance: the true difference is .1.
        common = rng.random(150)
        pair = common + 0.2 * rng.random(150) < 0.9, common + 0.2 * rng.random(150) < 0.8
        (found,) = paired_bootstrap([pair], draws=1000, seed=trial)
        inside += found.low <= 0.1 <= found.high
    # Two standard deviations of a share of .95 in 200 are .03.
    assert 0.9 <= inside / trials <= 0.99


def test_sides_of_other_items_are_refused():
    with pytest.raises(ValueError, match=r'the same items .* \(2, 5\) with \(2, 6\)'):
        paired_bootstrap([(np.ones((2, 5), bool), np.ones((2, 6), bool))])
    with pytest.raises(ValueError, match='at least one'):
        paired_bootstrap([(np.ones((2, 0), bool), np.ones((2, 0), bool))])
    assert paired_bootstrap([]) == []
