"""Parts of objects: the head is the plain one, a prediction is a part of the class, any encoder goes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmpt.models.heads import SegmentationHead
from mmpt.structures import PointDataSample, Tokens

PARTS = (2, 4, 3)
ENCODER = {
    'type': 'PointTransformer',
    'num_groups': 8,
    'group_size': 8,
    'dim': 24,
    'depth': 4,
    'num_heads': 3,
    'drop_path': 0.0,
    'patch_widths': (8, 16, 24),
    'init': 'default',
}
MODEL = {
    'type': 'PartSegmentor',
    'parts': PARTS,
    'encoder': ENCODER,
    'head': {'category_dim': 8, 'point_dims': (32, 24), 'dims': (24, 16)},
}
OTHERS = {
    'DGCNN': {'type': 'DGCNN', 'dim': 16, 'k': 5, 'edge_widths': (8, 8)},
    'PointNet': {'type': 'PointNet', 'dim': 16, 'point_widths': (8, 8), 'transform_widths': (8, 8, 8, 8, 8)},
    'ReConTransformer': {**ENCODER, 'type': 'ReConTransformer'},
    'HierarchicalPointTransformer': {
        'type': 'HierarchicalPointTransformer',
        'scales': [
            {'num_groups': 24, 'group_size': 6, 'dim': 12, 'depth': 1},
            {'num_groups': 12, 'group_size': 4, 'dim': 24, 'depth': 1},
        ],
        'num_heads': 3,
        'levels': [0],
        'patch_widths': (8, 8, 16),
    },
}


def clouds(count=3, num=50, seed=0):
    return torch.randn(count, num, 3, generator=torch.Generator().manual_seed(seed))


def samples(count=3, num=50, **fields):
    made = []
    for number in range(count):
        sample = PointDataSample(metainfo={'sample_id': f's{number}'})
        label = number % len(PARTS)
        values = {'label': label, 'parts': torch.arange(num) % PARTS[label], **fields}
        for name, value in values.items():
            if value is not None:
                sample.set_field(value, name)
        made.append(sample)
    return made


# ------------------------------------------------------------------ the head


def plain(head, places, points, category):
    """The head as METHODS 5.5 writes it: loops, concatenations, one linear layer on each of them."""
    batch, num = points.shape[:2]
    carried = []
    for features, centers in places:
        rows = features.new_zeros(batch, num, features.shape[-1])
        for b in range(batch):
            for n in range(num):
                distance = (centers[b] - points[b, n]).square().sum(-1)
                near = distance.argsort()[:3]
                weight = 1 / (distance[near] + 1e-8)
                rows[b, n] = (features[b, near] * (weight / weight.sum())[:, None]).sum(0)
        carried.append(rows)
    x = head.points.carry(torch.cat([*carried, points], dim=-1)).flatten(0, 1)
    x = head.points.local(x).view(batch, num, -1)
    parts = [features.max(1).values for features, _ in places] + [features.mean(1) for features, _ in places]
    if category is not None:
        parts.append(head.category(torch.eye(3, dtype=points.dtype)[category]))
    whole = torch.cat(parts, dim=1)[:, None].expand(-1, num, -1)
    return head.classify(head.join(torch.cat([x, whole], dim=-1)).flatten(0, 1)).view(batch, num, -1)


@pytest.mark.parametrize('categories', [0, 3])
@pytest.mark.parametrize('scales', [1, 2])
@pytest.mark.parametrize('training', [False, True])
def test_it_is_the_plain_head_of_concatenations(categories, scales, training):
    torch.manual_seed(0)
    head = SegmentationHead(10 * scales, 5, categories, 8, (32, 24), (24, 16), dropout=0.0).double().train(training)
    for norm in head.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.uniform_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    points = clouds(4, 20).double()
    coarse, fine = torch.randn(4, 6, 10).double(), torch.randn(4, 9, 10).double()
    centers, finer = points[:, :6], clouds(4, 9, seed=1).double()
    tokens = Tokens(coarse, centers, {}, (fine,), (finer,)) if scales == 2 else Tokens(coarse, centers, {})
    category = torch.tensor([0, 2, 1, 1]) if categories else None
    found, expected = head(tokens, points, category), plain(head, tokens.places(), points, category)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_the_sizes_are_those_of_point_mae():
    head = SegmentationHead(3 * 384, 50, categories=16)
    sizes = [tuple(layer.weight.shape) for layer in head.modules() if isinstance(layer, nn.Linear)]
    assert sizes == [(64, 16), (1536, 1155), (1024, 1536), (512, 3392), (256, 512), (50, 256)]


def test_the_order_of_the_points_is_that_of_the_answers():
    torch.manual_seed(0)
    head = SegmentationHead(10, 5, point_dims=(32, 24), dims=(24, 16)).eval()
    tokens, points, order = Tokens(torch.randn(2, 6, 10), clouds(2, 6), {}), clouds(2, 20, seed=1), torch.randperm(20)
    torch.testing.assert_close(head(tokens, points[:, order]), head(tokens, points)[:, order])


# ------------------------------------------------------------------ the model


def test_a_prediction_is_a_part_of_the_class(build):
    model = build(MODEL).eval()
    # Parts of other classes are by far the likeliest everywhere.
    for wrong in range(sum(PARTS)):
        with torch.no_grad():
            model.head.classify[-1].bias.zero_()[wrong] = 100.0
        logits = model({'points': clouds()}, samples(), mode='tensor')
        assert (logits.argmax(-1) == wrong).all()
        start = 0
        for number, sample in enumerate(model({'points': clouds()}, samples(), mode='predict')):
            own = logits[number, :, start : start + PARTS[number]]
            assert torch.equal(sample.predicted_parts, own.argmax(1))
            start += PARTS[number]


def test_the_loss_is_the_cross_entropy_over_the_parts_of_all_classes(build):
    model = build(MODEL).eval()
    logits, total = model({'points': clouds()}, samples(), mode='tensor'), 0.0
    for number, sample in enumerate(samples()):
        truth = sample.parts + sum(PARTS[:number])
        total -= F.log_softmax(logits[number], -1)[torch.arange(50), truth].mean().item() / 3
    found = model({'points': clouds()}, samples(), mode='loss')
    assert found['loss'].item() == pytest.approx(total, rel=1e-5)
    predicted = model({'points': clouds()}, samples(), mode='predict')
    right = torch.stack([sample.predicted_parts == sample.parts for sample in predicted])
    assert float(found['accuracy']) == pytest.approx(float(right.float().mean()))


@pytest.mark.parametrize('kind', ['PointTransformer', *OTHERS])
def test_every_parameter_learns_and_a_frozen_encoder_does_not(build, kind):
    for frozen in (False, True):
        model = build({**MODEL, 'encoder': OTHERS.get(kind, ENCODER), 'frozen': frozen}).train()
        model({'points': clouds()}, samples(), mode='loss')['loss'].backward()
        assert all(parameter.grad is not None for parameter in model.head.parameters())
        assert all((parameter.grad is None) is frozen for parameter in model.encoder.parameters())


def test_it_learns_with_the_head_of_point_bert_and_its_norms_have_one_momentum(build):
    head = {'type': 'GraphSegmentationHead', 'centers': (7, 11), 'inner_dim': 20, 'graph_dim': 12, 'last_dim': 10}
    model = build({**MODEL, 'encoder': {**ENCODER, 'cls_token': True}, 'head': head}).train()
    model.norm_momentum = 0.03
    assert {module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm1d)} == {0.03}
    model({'points': clouds()}, samples(), mode='loss')['loss'].backward()
    assert all(bool(p.grad.any()) for p in model.head.parameters() if p.dim() > 1)
    # The class token is not read by the head, but by the blocks before the last one.
    assert bool(model.encoder.cls_token.grad.any())


@pytest.mark.parametrize('kind', OTHERS)
def test_other_encoders_go_as_they_are(build, kind):
    model = build({**MODEL, 'encoder': OTHERS[kind]}).train()
    assert torch.isfinite(model({'points': clouds()}, samples(), mode='loss')['loss'])
    order = torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(49)])
    model.eval()
    one, other = (model({'points': points}, samples(), mode='tensor') for points in (clouds(), clouds()[:, order]))
    torch.testing.assert_close(one[:, order], other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ('fields', 'mode', 'message'),
    [
        ({'label': None}, 'predict', "needs the label of every sample, 's0' has none"),
        ({'label': 3}, 'predict', "'s0' is of class 3, but `parts` of PartSegmentor names those of 3 classes"),
        ({'parts': None}, 'loss', "a part for every point, sample 's0' has none"),
        ({'parts': torch.full((50,), 4)}, 'loss', "'s0' of class 0 has part 4, expected 0 to 1"),
        ({'parts': torch.full((50,), -1)}, 'loss', 'has part -1, expected'),
        ({}, 'train', "mode must be 'loss', 'predict' or 'tensor'"),
    ],
)
def test_bad_samples_are_named(build, fields, mode, message):
    with pytest.raises(ValueError, match=message):
        build(MODEL)({'points': clouds()}, samples(**fields), mode=mode)


def test_without_samples_the_class_is_asked_for(build):
    with pytest.raises(ValueError, match='needs the label of every sample'):
        build(MODEL)({'points': clouds()}, None, mode='predict')
