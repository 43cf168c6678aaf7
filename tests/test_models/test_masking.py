"""Masks hide exactly what they say."""

import pytest
import torch

from mmpt.models.layers import StepDraws, select_hidden
from mmpt.models.masking import BlockMasking, RandomMasking, complement
from mmpt.structures import Patches


def _patches(batch=6, groups=64):
    centers = torch.randn(batch, groups, 3, generator=torch.Generator().manual_seed(0))
    return Patches(torch.zeros(batch, groups, 4, 3), centers, None, torch.zeros(batch, groups, 4, dtype=torch.long))


@pytest.mark.parametrize('ratio', [0.0, 0.4, 0.6, 0.8])
def test_random_masking_hides_int_of_ratio_times_groups(ratio):
    mask = RandomMasking(ratio)(_patches(), StepDraws())
    assert mask.hidden.sum(1).tolist() == [int(ratio * 64)] * 6
    rows = torch.cat([mask.visible, mask.masked], 1).sort(1).values
    assert torch.equal(rows, torch.arange(64).expand(6, -1))
    assert mask.hidden.gather(1, mask.masked).all()
    assert not mask.hidden.gather(1, mask.visible).any()
    assert (mask.visible.diff(dim=1) > 0).all()


def test_every_patch_is_hidden_equally_often():
    draws, count = StepDraws(), torch.zeros(16)
    for step in range(200):
        draws.set(seed=0, step=step, rank=0, world_size=1)
        count += RandomMasking(0.5)(_patches(8, 16), draws).hidden.sum(0)
    # 1,600 draws at one half: 5 standard deviations are 100.
    assert (count - 800).abs().max() < 100


def test_block_masking_hides_the_nearest_to_one_patch():
    patches = _patches()
    mask = BlockMasking(0.25)(patches, StepDraws())
    for sample in range(6):
        hidden = set(mask.masked[sample].tolist())
        distance = torch.cdist(patches.centers[sample], patches.centers[sample])
        assert any(hidden == set(distance[seed].topk(16, largest=False).indices.tolist()) for seed in hidden)


def test_block_ratio_bounds():
    draws, counts = StepDraws(), set()
    for step in range(40):
        draws.set(seed=0, step=step, rank=0, world_size=1)
        each = BlockMasking((0.25, 0.45))(_patches(), draws).hidden.sum(1)
        assert len(each.unique()) == 1
        counts.add(int(each[0]))
    assert min(counts) >= 16 and max(counts) <= 28 and len(counts) > 5
    mask = BlockMasking((0.25, 0.45), per_sample=True)(_patches(64), draws)
    assert mask.visible is None
    assert 16 <= mask.hidden.sum(1).min() < mask.hidden.sum(1).max() <= 28


def test_masks_do_not_depend_on_the_number_of_processes():
    whole, part = StepDraws(), StepDraws()
    for masking in (RandomMasking(0.6), BlockMasking((0.25, 0.45)), BlockMasking((0.25, 0.45), per_sample=True)):
        whole.set(seed=3, step=5, rank=0, world_size=1)
        expected = masking(_patches(), whole).hidden
        got = []
        for rank in range(2):
            part.set(seed=3, step=5, rank=rank, world_size=2)
            patches = _patches()
            patches = patches._replace(centers=patches.centers[rank * 3 : rank * 3 + 3])
            got.append(masking(patches, part).hidden)
        assert torch.equal(torch.cat(got), expected)


def test_masks_change_with_step_and_seed_only():
    draws, masks = StepDraws(), {}
    for seed, step in [(0, 0), (0, 1), (1, 0), (0, 0)]:
        draws.set(seed=seed, step=step, rank=0, world_size=1)
        mask = RandomMasking()(_patches(), draws).hidden
        if (seed, step) in masks:
            assert torch.equal(masks[seed, step], mask)
        masks[seed, step] = mask
    assert not torch.equal(masks[0, 0], masks[0, 1]) and not torch.equal(masks[0, 0], masks[1, 0])


def test_complement_and_selection():
    mask = RandomMasking(0.6)(_patches(), StepDraws())
    other = complement(mask)
    assert torch.equal(other.hidden, ~mask.hidden) and torch.equal(other.visible, mask.masked)
    values = torch.randn(6, 64, 4, 3)
    torch.testing.assert_close(select_hidden(values, mask), values[mask.hidden])
    torch.testing.assert_close(select_hidden(values[..., 0, 0], mask), values[..., 0, 0][mask.hidden])
    ids = torch.randint(0, 9, (6, 64))
    assert torch.equal(select_hidden(ids, mask), ids[mask.hidden])


@pytest.mark.parametrize('ratio', [-0.1, 1.0])
def test_impossible_ratios_are_named(ratio):
    with pytest.raises(ValueError, match='ratio of hidden patches'):
        RandomMasking(ratio)
