"""Several scales: the mask carried down, padding that changes nothing, what is hidden stays hidden."""

import pytest
import torch

from mmpt.models.layers import (
    PositionedBlocks,
    StepDraws,
    back_project,
    finer_scale,
    padded_index,
    pool_tokens,
    repeated_index,
)
from mmpt.models.masking import RandomMasking, complement
from mmpt.structures import Mask, Patches, Tokens

from ._m2ae import SCALES, below, clouds, draw, encoder_of


def chain(*members):
    """Patches of one sample from lists of members, the finest first; places mean nothing."""
    patches = None
    for rows in members:
        index = torch.tensor([rows])
        shape = index.shape
        patches = Patches(torch.zeros(*shape, 3), torch.zeros(1, shape[1], 3), None, index, patches)
    return patches


# ------------------------------------------------------------------ the mask


def test_the_mask_is_carried_down():
    """Coarse 0 holds fine 0 and 1, coarse 1 holds 1 and 2, coarse 2 holds 3 and 4; nobody holds fine 5."""
    patches = chain([[0, 1]] * 6, [[0, 1], [1, 2], [3, 4]])
    hidden = torch.tensor([[False, True, True]])
    fine = back_project(Mask(hidden, None, None), patches)
    # Fine 1 belongs to a hidden patch as well as to the visible one: visible.
    assert fine.hidden.tolist() == [[False, False, True, True, True, True]]
    assert fine.visible is None and fine.masked is None
    everything = back_project(Mask(torch.zeros(1, 3, dtype=torch.bool), None, None), patches)
    assert everything.hidden.tolist() == [[False] * 5 + [True]]


def test_over_two_scales():
    patches = chain([[0]] * 8, [[0, 1], [2, 3], [4, 5], [6, 7]], [[0, 1], [2, 3]])
    mask = Mask(torch.tensor([[True, False]]), None, None)
    found, fine = finer_scale(patches, mask, 2)
    assert found is patches.finer.finer
    assert fine.hidden.tolist() == [[True] * 4 + [False] * 4]
    assert finer_scale(patches, mask, 0) == (patches, mask)
    with pytest.raises(ValueError, match='one scale have no finer ones'):
        finer_scale(patches, mask, 3)


def test_whatever_a_visible_patch_holds_is_visible_and_nothing_else():
    encoder, mask = encoder_of(), draw()
    patches = encoder.group(clouds())
    for coarse, fine in ((patches, below(patches, mask)[1]), (patches.finer, below(patches, mask)[0])):
        shown = mask if coarse is patches else below(patches, mask)[1]
        for sample in range(4):
            held = {int(i) for row in coarse.index[sample][~shown.hidden[sample]] for i in row}
            assert held == set((~fine.hidden[sample]).nonzero()[:, 0].tolist())


def test_the_complement_and_the_mask_overlap_where_patches_do():
    encoder, mask = encoder_of(), draw()
    patches = encoder.group(clouds())
    one, other = back_project(mask, patches), back_project(complement(mask), patches)
    held = back_project(mask._replace(hidden=torch.zeros_like(mask.hidden)), patches)
    assert torch.equal(one.hidden & other.hidden, held.hidden)
    assert (~one.hidden & ~other.hidden).any()


def test_padded_and_repeated_index():
    chosen = torch.tensor([[False, True, True, False], [True, False, False, False], [False] * 4])
    index, real = padded_index(chosen)
    assert index.shape == (3, 2) and real.tolist() == [[True, True], [True, False], [False, False]]
    assert index[0].tolist() == [1, 2] and index[1, 0] == 0
    assert all(len(set(row)) == 2 for row in index.tolist())
    assert repeated_index(chosen)[:2].tolist() == [[1, 2], [0, 0]]


# ------------------------------------------------------------------ grouping


def test_coarser_patches_are_made_of_centres():
    encoder, points = encoder_of(), clouds()
    patches = encoder.group(points)
    assert [p.centers.shape[1] for p in (patches, patches.finer, patches.finer.finer)] == [6, 12, 24]
    for coarse, source in ((patches, patches.finer.centers), (patches.finer, patches.finer.finer.centers)):
        for sample in range(4):
            own = source[sample][coarse.index[sample]] - coarse.centers[sample].unsqueeze(1)
            torch.testing.assert_close(own, coarse.points[sample])
    assert patches.finer.finer.finer is None


def test_features_belong_to_the_finest_scale():
    encoder, points = encoder_of(in_channels=6), clouds(channels=6)
    patches = encoder.group(points)
    assert patches.features is None and patches.finer.finer.features.shape == (4, 24, 6, 3)
    turned = torch.cat([points[..., :3], -points[..., 3:]], -1)
    assert not torch.equal(encoder(points).patch, encoder(turned).patch)
    with pytest.raises(ValueError, match='reads 6 channels.*the cloud has 3'):
        encoder(clouds())


# ------------------------------------------------------------------- tokens


@pytest.mark.parametrize('radius', [None, (0.8, 1.2, 2.0)])
def test_hidden_patches_leave_no_trace(radius):
    encoder, mask = encoder_of(local_radius=radius), draw()
    patches = encoder.group(clouds())
    tokens = encoder(patches, mask)
    changed = patches
    levels = []
    for hides in below(patches, mask)[::-1]:
        levels.append((changed, hides.hidden))
        changed = changed.finer
    moved = None
    for scale, hidden in levels[::-1]:
        moved = scale._replace(
            points=torch.where(hidden[..., None, None], 100.0, scale.points),
            centers=torch.where(hidden[..., None], 100.0, scale.centers),
            finer=moved,
        )
    again = encoder(moved, mask)
    for one, other in zip((tokens.patch, tokens.centers, *tokens.levels), (again.patch, again.centers, *again.levels)):
        assert torch.equal(one, other)
    finest = patches.finer.finer
    seen = finest.points + 1e-2 * (~below(patches, mask)[0].hidden)[..., None, None]
    visible = patches._replace(finer=patches.finer._replace(finer=finest._replace(points=seen)))
    assert not torch.equal(tokens.patch, encoder(visible, mask).patch)


def test_points_that_only_hidden_patches_hold_leave_no_trace():
    """From the cloud on, its grouping held: METHODS 11, what is hidden must not be seen."""
    encoder, points, mask = encoder_of(), clouds(), draw()
    patches = encoder.group(points)
    finest, hidden = patches.finer.finer, below(patches, mask)[0].hidden
    seen = torch.zeros(4, 96, dtype=torch.bool)
    for sample in range(4):
        seen[sample, finest.index[sample][~hidden[sample]].flatten()] = True
    assert 0 < int(seen.sum()) < seen.numel()
    other = torch.where(seen.unsqueeze(-1), points, torch.randn(points.shape))
    rows = torch.stack([cloud[index] for cloud, index in zip(other, finest.index)])
    shifted = finest._replace(points=torch.where(hidden[..., None, None], rows, finest.points))
    for sample in range(4):
        for group in (~hidden[sample]).nonzero()[:, 0].tolist():
            assert torch.equal(rows[sample, group], points[sample][finest.index[sample, group]])
    changed = patches._replace(finer=patches.finer._replace(finer=shifted))
    assert torch.equal(encoder(patches, mask).patch, encoder(changed, mask).patch)


@pytest.mark.parametrize('radius', [None, (0.8, 1.2, 2.0)])
def test_padding_changes_nothing(radius):
    """A sample alone and the same sample beside others that show more."""
    encoder, mask = encoder_of(local_radius=radius), draw()
    patches = encoder.group(clouds())
    counts = (~below(patches, mask)[0].hidden).sum(1)
    assert counts.min() < counts.max()
    together = encoder(patches, mask)
    for sample in range(4):
        alone = encoder(
            encoder.group(clouds()[sample : sample + 1]), Mask(*(part[sample : sample + 1] for part in mask))
        )
        torch.testing.assert_close(alone.patch[0], together.patch[sample])
        for one, all_ in zip(alone.levels, together.levels):
            torch.testing.assert_close(one[0], all_[sample])


def test_levels_are_zero_exactly_where_patches_are_hidden():
    encoder, mask = encoder_of(), draw()
    patches = encoder.group(clouds())
    tokens = encoder(patches, mask)
    assert tokens.patch.shape == (4, 2, 24)
    for level, hides in zip(tokens.levels, below(patches, mask)):
        assert torch.equal(~level.any(-1), hides.hidden)


def test_every_scale_is_a_place_of_its_own():
    encoder = encoder_of()
    patches = encoder.group(clouds())
    tokens = encoder(patches)
    places = tokens.places()
    assert all(torch.equal(place[0], level) for place, level in zip(places, (*tokens.levels, tokens.patch)))
    centers = (patches.finer.finer.centers, patches.finer.centers, patches.centers)
    assert all(torch.equal(place[1], where) for place, where in zip(places, centers))
    assert sum(features.shape[-1] for features, _ in places) == encoder.places_dim


def test_nothing_hidden_is_the_whole_cloud_but_for_strays():
    encoder = encoder_of(strays=True)
    patches = encoder.group(clouds())
    mask = RandomMasking(0.0)
    empty = mask(patches, StepDraws())
    strays = below(patches, empty)
    assert strays[0].hidden.any(), 'the test needs a finer patch that nobody holds'
    whole, held = encoder(patches), encoder(patches, empty)
    assert whole.levels[0].any(-1).all() and not torch.equal(whole.patch, held.patch)
    assert torch.equal(encoder_of(strays=False)(patches).patch, held.patch)


def test_point_order_does_not_matter():
    points = clouds()
    order = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(95)])
    encoder, mask = encoder_of(), draw()
    one, other = encoder(encoder.group(points), mask), encoder(encoder.group(points[:, order]), mask)
    torch.testing.assert_close(one.centers, other.centers)
    torch.testing.assert_close(one.patch, other.patch, atol=1e-5, rtol=1e-5)


def test_a_local_radius_keeps_far_tokens_apart():
    """With a radius below every distance each token attends to itself alone, so others' patches do not matter."""
    encoder = encoder_of(local_radius=(1e-4, 1e-4, 1e-4))
    patches = encoder.group(clouds())
    finest = patches.finer.finer
    moved = finest._replace(points=torch.cat([finest.points[:, :1] + 1, finest.points[:, 1:]], dim=1))
    one, other = (encoder(patches._replace(finer=patches.finer._replace(finer=p))).levels[0] for p in (finest, moved))
    assert torch.equal(one[:, 1:], other[:, 1:]) and not torch.equal(one[:, 0], other[:, 0])
    assert not torch.equal(encoder_of(local_radius=(9.0, 9.0, 1e-4))(patches).patch, encoder_of()(patches).patch)
    torch.testing.assert_close(encoder_of(local_radius=(99.0,) * 3)(patches).patch, encoder_of()(patches).patch)


def test_batch_norms_count_patches_and_no_padding():
    """The statistics of the finest scale's mini-PointNet and of a merge are those of all patches, as real rows."""
    encoder, mask = encoder_of(training=True), draw()
    patches = encoder.group(clouds())
    rows = []
    for embed in (encoder.patch_embed, *encoder.merges):
        embed.norm1.register_forward_hook(lambda module, inputs, output: rows.append(inputs[0]))
    encoder(patches, mask)
    assert [len(x) for x in rows] == [4 * 24 * 6, 4 * 12 * 4, 4 * 6 * 4]
    for embed, x in zip((encoder.patch_embed, *encoder.merges), rows):
        torch.testing.assert_close(embed.norm1.running_mean, 0.1 * x.mean(0), atol=1e-5, rtol=1e-4)


def test_a_shared_embedding_gives_the_same_tokens():
    encoder = encoder_of()
    patches = encoder.group(clouds())
    assert torch.equal(encoder(patches, None, encoder.embed(patches)).patch, encoder(clouds()).patch)


def test_bfloat16_stays_near():
    encoder, mask = encoder_of(), draw()
    patches = encoder.group(clouds())
    plain = encoder(patches, mask)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        tokens = encoder(patches, mask)
    torch.testing.assert_close(tokens.patch.float(), plain.patch, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'scales': SCALES[:1]}, 'expected two scales or more, got 1'),
        ({'scales': SCALES[::-1]}, 'from fine to coarse'),
        ({'scales': [{'num_groups': 4}, *SCALES]}, 'every scale has num_groups, group_size, dim, depth'),
        ({'levels': (2,)}, 'finer than the coarsest, 0 to 1'),
        ({'local_radius': (1.0,)}, 'local_radius has 1 values for 3'),
        ({'in_channels': 2}, 'counts the 3 coordinates'),
        ({'init': 'none'}, "'trunc_normal' or 'default'"),
        ({'num_heads': 5}, 'not a multiple of num_heads'),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        encoder_of(**change)
    with pytest.raises(ValueError, match='2 rates for 3 blocks'):
        PositionedBlocks(12, 3, 3, drop_path=[0.0, 0.1])


def test_patches_of_one_scale_are_refused():
    encoder = encoder_of()
    finest = encoder.group(clouds()).finer.finer
    with pytest.raises(ValueError, match='expected patches of 3 scales, got 1'):
        encoder(finest)


def test_sums_of_pools():
    tokens = Tokens(torch.randn(2, 5, 4), torch.zeros(2, 5, 3), {})
    mean, largest = tokens.patch.mean(1), tokens.patch.amax(1)
    torch.testing.assert_close(pool_tokens(tokens, ('max+mean',)), mean + largest)
    torch.testing.assert_close(pool_tokens(tokens, ('mean', 'max')), torch.cat([mean, largest], 1))
    with pytest.raises(KeyError, match="asks for \\['cls'\\]"):
        pool_tokens(tokens, ('cls+max',))
