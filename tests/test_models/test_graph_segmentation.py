"""Point-BERT's head for parts: the plain one of edges and concatenations, its sizes, what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmpt.models.heads import GraphSegmentationHead
from mmpt.ops import farthest_point_sample
from mmpt.structures import Tokens

SIZES = {'centers': (7, 11), 'inner_dim': 20, 'graph_dim': 12, 'last_dim': 10, 'k': 3, 'dropout': 0.0}


def tokens_of(batch=2, groups=6, dim=8, seed=0):
    make = torch.Generator().manual_seed(seed)
    levels = tuple(torch.randn(batch, groups, dim, generator=make).double() for _ in range(3))
    return Tokens(levels[-1], torch.randn(batch, groups, 3, generator=make).double(), {}, levels)


def nearest(query, reference, k):
    """(N, k) by a sort of all distances."""
    return (query[:, None] - reference[None]).square().sum(-1).argsort(dim=1, stable=True)[:, :k]


def carried(layer, features, centers, points, own):
    """One cloud after the other: interpolate, concatenate, all layers of the batch at once."""
    rows = []
    for cloud, places, where, has in zip(features, centers, points, own):
        near = nearest(where, places, 3)
        weight = 1 / ((where[:, None] - places[near]).square().sum(-1) + 1e-8)
        mixed = (cloud[near] * (weight / weight.sum(1, keepdim=True))[..., None]).sum(1)
        rows.append(torch.cat([mixed, has], 1))
    rows = torch.stack(rows)
    return layer.local(layer.carry(rows).flatten(0, 1)).unflatten(0, rows.shape[:2])


def convolved(layer, fine, coarse, near):
    """Every edge is built; group norm over channels and edges of one cloud by torch's own layer."""
    out = []
    for own, source, index in zip(fine, coarse, near):
        pair = own[:, None].expand(-1, index.shape[1], -1)
        edges = layer.linear(torch.cat([source[index] - pair, pair], -1)).permute(2, 0, 1)[None]
        norm = layer.norm
        edges = F.group_norm(edges.float(), norm.num_groups, norm.weight.float(), norm.bias.float(), norm.eps)
        out.append(F.leaky_relu(edges, 0.2).amax(3)[0].T.double())
    return torch.stack(out)


def raised(layer, coarse, coarse_centers, fine, fine_centers, k):
    x = convolved(layer.between, fine, coarse, [nearest(f, c, k) for f, c in zip(fine_centers, coarse_centers)])
    return convolved(layer.among, x, x, [nearest(f, f, k) for f in fine_centers])


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('categories', [0, 4])
def test_it_is_the_plain_head_of_edges_and_concatenations(categories, training):
    torch.manual_seed(0)
    head = GraphSegmentationHead(24, 5, categories, **SIZES).double().train(training)
    for norm in head.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.uniform_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    tokens, points = tokens_of(), torch.randn(2, 30, 3).double()
    category = torch.tensor([3, 1]) if categories else None
    early, middle, late = tokens.levels
    fine_at, middle_at = (
        torch.stack([cloud[index] for cloud, index in zip(points, farthest_point_sample(points, count))])
        for count in (11, 7)
    )
    fine = carried(head.to_fine, early, tokens.centers, fine_at, fine_at)
    mid = carried(head.to_middle, middle, tokens.centers, middle_at, middle_at)
    mid = raised(head.up_middle, late, tokens.centers, mid, middle_at, 3)
    fine = raised(head.up_fine, mid, middle_at, fine, fine_at, 3)
    own = points
    if categories:
        own = torch.cat([torch.eye(4).double()[category][:, None].expand(-1, 30, -1), points], -1)
    plain = head.classify(carried(head.to_points, fine, fine_at, points, own).flatten(0, 1)).view(2, 30, 5)
    # Group norms are taken in float32.
    torch.testing.assert_close(head(tokens, points, category), plain, atol=2e-4, rtol=2e-4)


def test_the_sizes_are_those_of_point_bert():
    head = GraphSegmentationHead(3 * 384, 50, categories=16)
    sizes = [tuple(layer.weight.shape) for layer in head.modules() if isinstance(layer, nn.Linear)]
    carry = [(1536, 387), (384, 1536)]
    up = [(512, 768), (384, 1024)]
    assert sizes == [*carry, *carry, *up, *up, (1536, 403), (384, 1536), (128, 384), (50, 128)]


def test_a_small_cloud_has_all_its_points_as_centres():
    head = GraphSegmentationHead(24, 5, **SIZES).double().eval()
    assert head(tokens_of(), torch.randn(2, 5, 3).double()).shape == (2, 5, 5)


@pytest.mark.parametrize('count', [0, 2])
def test_an_encoder_without_three_blocks_is_refused(count):
    tokens = tokens_of()._replace(levels=tokens_of().levels[:count])
    with pytest.raises(ValueError, match=f'three blocks at the same centres, got {count} levels; use'):
        GraphSegmentationHead(24, 5, **SIZES).double()(tokens, torch.randn(2, 30, 3).double())


def test_channels_that_three_blocks_cannot_have_are_refused():
    with pytest.raises(ValueError, match='three blocks, whose channels 25 cannot be'):
        GraphSegmentationHead(25, 5)
