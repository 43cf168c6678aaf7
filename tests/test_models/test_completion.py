"""Completion: sizes of PCN and ShapeNet-55, what was seen stays, the folding is the plain one, every part learns."""

import pytest
import torch
from torch import nn

from mmpt.models.heads import CompletionHead
from mmpt.models.layers import Folding
from mmpt.ops import chamfer_distance, farthest_point_sample
from mmpt.structures import PointDataSample, Tokens

ENCODER = {
    'type': 'PointTransformer',
    'num_groups': 8,
    'group_size': 8,
    'dim': 24,
    'depth': 2,
    'num_heads': 3,
    'drop_path': 0.0,
    'patch_widths': (8, 16, 24),
    'init': 'default',
}
HEAD = {'global_dim': 32, 'dim': 24, 'depth': 2, 'num_heads': 3, 'fold_dim': 16}
MODEL = {'type': 'CompletionModel', 'num_queries': 12, 'encoder': ENCODER, 'head': HEAD}
OTHERS = {
    'DGCNN': {'type': 'DGCNN', 'dim': 16, 'k': 5, 'edge_widths': (8, 8)},
    'ReConTransformer': {**ENCODER, 'type': 'ReConTransformer'},
}


def clouds(count=3, num=50, seed=0):
    return torch.randn(count, num, 3, generator=torch.Generator().manual_seed(seed))


def samples(count=3, num=90):
    made = [PointDataSample(metainfo={'sample_id': f's{number}'}) for number in range(count)]
    for sample, complete in zip(made, clouds(count, num, seed=1)):
        sample.complete = complete
    return made


@pytest.mark.parametrize(('num_queries', 'total'), [(224, 16384), (96, 8192)])
def test_sizes_are_those_of_the_benchmarks(build, num_queries, total):
    model = build({**MODEL, 'num_queries': num_queries}).eval()
    points = clouds(1, 2048)
    with torch.no_grad():
        coarse, fine = model({'points': points})
    assert coarse.shape == (1, 2 * num_queries, 3) and fine.shape == (1, total, 3)
    assert torch.equal(fine[:, -2048:], points)  # what was seen is there as it was
    farthest = points[0, farthest_point_sample(points, num_queries)[0]]
    assert torch.equal(coarse[0, num_queries:], farthest)


def test_the_shipped_sizes_of_the_head():
    head = CompletionHead(384, 224)
    assert head.coarse[-1].weight.shape == (672, 1024) and len(head.blocks) == 8
    assert head.fold.grid.shape == (1, 64, 2) and head.fold.second.place.weight.shape == (512, 3)


@pytest.mark.parametrize('training', [False, True])
def test_folding_is_two_perceptrons_over_every_place(training):
    torch.manual_seed(0)
    fold = Folding(5, side=3, hidden=8).double().train(training)
    for norm in fold.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.uniform_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    features = torch.randn(4, 5).double()

    def plain(part, rows):
        """[feature ; coordinates] through linear, norm, ReLU, twice, and linear."""
        weight = torch.cat([part.feature.weight, part.place.weight], dim=1)
        x = torch.stack([weight @ row + part.feature.bias for row in rows])
        norm1, _, linear, norm2, _ = part.between
        for norm, layer in ((norm1, linear), (norm2, part.out)):
            mean, var = (x.mean(0), x.var(0, unbiased=False)) if training else (norm.running_mean, norm.running_var)
            x = torch.relu((x - mean) / (var + norm.eps).sqrt() * norm.weight + norm.bias)
            x = torch.stack([layer.weight @ row + layer.bias for row in x])
        return x

    square = [(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]
    rows = [torch.cat([feature, torch.tensor(place).double()]) for feature in features for place in square]
    first = plain(fold.first, rows)
    second = plain(fold.second, [torch.cat([row[:5], point]) for row, point in zip(rows, first)])
    torch.testing.assert_close(fold(features).flatten(0, 1), second)


def test_a_piece_lies_around_its_coarse_point():
    torch.manual_seed(0)
    head = CompletionHead(24, 12, **HEAD).eval()
    tokens = Tokens(torch.randn(2, 8, 24), clouds(2, 8), {})
    with torch.no_grad():
        head.fold.second.out.weight.zero_()
        coarse, fine = head(tokens)
        pieces = fine.unflatten(1, (12, 64)) - coarse.unsqueeze(2)
    torch.testing.assert_close(pieces, head.fold.second.out.bias.expand_as(pieces))


def test_the_order_of_tokens_does_not_matter_and_their_places_do():
    torch.manual_seed(0)
    head = CompletionHead(24, 12, **HEAD).eval()
    patch, centers, order = torch.randn(2, 8, 24), clouds(2, 8), torch.randperm(8)
    fine = head(Tokens(patch, centers, {}))[1]
    torch.testing.assert_close(head(Tokens(patch[:, order], centers[:, order], {}))[1], fine, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(head(Tokens(patch, centers[:, order], {}))[1], fine, atol=1e-3)


def test_the_loss_is_both_chamfer_distances(build):
    model = build(MODEL).eval()
    coarse, fine = model({'points': clouds()})
    target = torch.stack([sample.complete for sample in samples()])
    expected = []
    for made in (coarse, fine):
        distance = (made[:, :, None] - target[:, None]).norm(dim=-1)
        expected.append((distance.amin(2).mean() + distance.amin(1).mean()) / 2)
    found = model({'points': clouds()}, samples(), mode='loss')
    assert found['coarse'].item() == pytest.approx(expected[0].item(), rel=1e-4)
    assert found['fine'].item() == pytest.approx(expected[1].item(), rel=1e-4)
    assert found['loss'].item() == pytest.approx(sum(expected).item(), rel=1e-4)


@pytest.mark.parametrize('kind', ['PointTransformer', *OTHERS])
@pytest.mark.parametrize('frozen', [False, True])
def test_every_parameter_learns_and_a_frozen_encoder_does_not(build, kind, frozen):
    model = build({**MODEL, 'encoder': OTHERS.get(kind, ENCODER), 'frozen': frozen}).train()
    model({'points': clouds()}, samples(), mode='loss')['loss'].backward()
    assert all(parameter.grad is not None for parameter in model.head.parameters())
    assert all((parameter.grad is None) is frozen for parameter in model.encoder.parameters())


def test_a_prediction_stands_beside_what_was_given(build):
    model, given = build(MODEL).eval(), samples()
    features = torch.cat([clouds(), torch.ones(3, 50, 1)], dim=-1)
    predicted = model({'points': features}, given, mode='predict')
    fine = model({'points': features})[1]
    for number, sample in enumerate(predicted):
        assert sample is given[number] and torch.equal(sample.partial, clouds()[number])
        torch.testing.assert_close(sample.predicted_complete, fine[number])
    assert 'predicted_complete' in model({'points': features}, mode='predict')[2]


def test_coordinates_stay_float32_under_autocast(build):
    model = build(MODEL).train()
    with torch.autocast('cpu', torch.bfloat16):
        coarse, fine = model({'points': clouds()})
        losses = model({'points': clouds()}, samples(), mode='loss')
    assert coarse.dtype == fine.dtype == losses['loss'].dtype == torch.float32
    assert torch.equal(fine[:, -50:], clouds())


def test_the_momentum_of_all_batch_norms_can_be_set(build):
    model = build(MODEL)
    assert model.norm_momentum == 0.1
    model.norm_momentum = 0.7
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    assert len(norms) > 4 and {norm.momentum for norm in norms} == {0.7}


def test_it_learns_one_cloud(build):
    torch.manual_seed(0)
    model, whole = build(MODEL).train(), nn.functional.normalize(clouds(2, 400), dim=-1)
    points = torch.stack([cloud[cloud[:, 2].argsort()[:200]] for cloud in whole])  # the lower half of a sphere
    given = samples(2)
    for sample, cloud in zip(given, whole):
        sample.complete = cloud
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model({'points': points}, given, mode='loss')['loss']
        loss.backward()
        optimizer.step()
    fine = model({'points': points})[1]
    assert chamfer_distance(fine, whole, 'l1') < 0.5 * chamfer_distance(points, whole, 'l1')


@pytest.mark.parametrize(
    ('change', 'mode', 'message'),
    [
        (lambda row: row[0].pop('complete'), 'loss', "whole surfaces, sample 's0' has none.*HiddenPointRemoval"),
        (lambda row: setattr(row[1], 'complete', clouds(1, 7)[0]), 'loss', "'s1' has 7 points.*of the batch 90"),
        (lambda row: None, 'train', "mode must be 'loss', 'predict' or 'tensor'"),
    ],
)
def test_bad_samples_are_named(build, change, mode, message):
    given = samples()
    change(given)
    with pytest.raises(ValueError, match=message):
        build(MODEL)({'points': clouds()}, given, mode=mode)


def test_fewer_points_than_queries_are_refused(build):
    with pytest.raises(ValueError, match='asked for 12 of 10 points'):
        build(MODEL)({'points': clouds(3, 10)})
