"""Classes of points: whole rooms are covered exactly, rare classes weigh more, bad samples are named."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmpt.models.downstream.blocks import cut_room
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample

ENCODER = {
    'type': 'PointTransformer',
    'num_groups': 8,
    'group_size': 8,
    'dim': 24,
    'depth': 3,
    'num_heads': 3,
    'drop_path': 0.0,
    'patch_widths': (8, 16, 24),
    'init': 'default',
}
WHOLE = {'size': 1.0, 'stride': 0.5, 'num_points': 64}


def build(**changes):
    torch.manual_seed(0)
    cfg = {'type': 'SemanticSegmentor', 'num_classes': 4, 'encoder': ENCODER, 'whole_room': WHOLE}
    return MODELS.build({**cfg, 'head': {'point_dims': (32, 24), 'dims': (24, 16)}, **changes}).eval()


def room(count=700, seed=0):
    """A room of 2.3 m by 1.7 m, crowded in a corner, and thin far from it; 0 0 is not one of its corners."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 3)) ** [2, 3, 1] * [2.3, 1.7, 2.5] + [-4.0, 7.0, 0.0]
    return torch.tensor(points, dtype=torch.float32)


def samples(target):
    made = []
    for number, semantic in enumerate(target):
        sample = PointDataSample(metainfo={'sample_id': f'room_{number}'})
        sample.set_field(semantic, 'semantic')
        made.append(sample)
    return made


# ------------------------------------------------------------------ whole rooms


def blocks_of(points, size, stride):
    """Slow: the blocks a room has, and the points in each, from the definition."""
    found = []
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    axes = []
    for axis in range(2):
        starts, start = [], low[axis]
        while start + size < high[axis]:
            starts.append(start)
            start = start + stride
        axes.append([*starts, max(low[axis], high[axis] - size)])
    for x in axes[0]:
        for y in axes[1]:
            off = [max(x - a, a - x - size, y - b, b - y - size) for a, b in points[:, :2]]
            inside = {number for number, distance in enumerate(off) if distance <= 1e-4}
            if inside:
                found.append(((x + size / 2, y + size / 2), inside))
    return found


@pytest.mark.parametrize('size, stride', [(1.0, 0.5), (0.7, 0.7), (5.0, 2.5)])
def test_every_point_has_one_answer_in_every_block_that_holds_it(size, stride):
    points = room()
    by_block = {}
    for piece in cut_room(points, size, stride, 64):
        own = piece.rows[: piece.own].tolist()
        assert len(piece.rows) == 64 and len(set(own)) == len(own)
        key = tuple(round(value, 3) for value in piece.centre.tolist())
        held = by_block.setdefault(key, [])
        assert not set(own) & set(held)
        held += own
    slow = blocks_of(points.double().numpy(), size, stride)
    assert {key: set(held) for key, held in by_block.items()} == {
        tuple(round(float(value), 3) for value in centre): rows for centre, rows in slow
    }
    assert set().union(*by_block.values()) == set(range(len(points)))


def test_a_piece_is_filled_with_points_of_its_block_and_spread_over_it():
    points = room(3000)
    pieces = list(cut_room(points, 5.0, 2.5, 64))
    assert [piece.own for piece in pieces] == [64] * 46 + [56]
    assert all(len(set(piece.rows.tolist())) == 64 for piece in pieces)
    # The mean of 64 points drawn from a block is near that of the block.
    means = torch.stack([points[piece.rows].mean(0) for piece in pieces])
    assert (means - points.mean(0)).abs().max() < 4 * points.std(0).max() / 8
    # A block of three points: they come again and again, and answer once.
    (piece,) = cut_room(points[:3], 9.0, 1.0, 64)
    assert piece.own == 3 and len(set(piece.rows.tolist())) == 3 and len(piece.rows) == 64


def test_logits_of_a_room_are_summed_over_its_blocks():
    model, points = build(), room()
    slow = torch.zeros(len(points), 4, dtype=torch.float64)
    for piece in cut_room(points, **WHOLE):
        cloud = points[piece.rows] - torch.cat([piece.centre, torch.zeros(1)])
        logits = model({'points': cloud[None]}, mode='tensor')[0]
        for place in range(piece.own):
            slow[piece.rows[place]] += logits[place].detach().double()
    fast = model.room_logits(points)
    torch.testing.assert_close(fast.double(), slow, atol=1e-4, rtol=1e-5)
    (sample,) = model({'points': points[None]}, samples([torch.zeros(700)]), mode='predict')
    assert torch.equal(sample.predicted_semantic, fast.argmax(1)) and sample.predicted_semantic.shape == (700,)
    assert torch.equal(model.room_logits(points), fast)


def test_where_a_room_stands_does_not_matter():
    model, points = build(), room()
    moved = points + torch.tensor([8.0, -16.0, 0.0])
    same = (model.room_logits(points).argmax(1) == model.room_logits(moved).argmax(1)).float().mean()
    assert same > 0.99


def test_blocks_are_predicted_as_they_come_where_asked():
    model = build(whole_room=None)
    clouds = torch.randn(3, 64, 3, generator=torch.Generator().manual_seed(0))
    found = model({'points': clouds}, samples(torch.zeros(3, 64)), mode='predict')
    logits = model({'points': clouds}, mode='tensor')
    assert all(torch.equal(sample.predicted_semantic, row.argmax(1)) for sample, row in zip(found, logits))


def test_a_prediction_needs_no_labels():
    model, points = build(), room()
    (sample,) = model({'points': points[None]}, mode='predict')
    assert torch.equal(sample.predicted_semantic, model.room_logits(points).argmax(1)) and 'semantic' not in sample
    model = build(whole_room=None)
    clouds = torch.randn(3, 64, 3, generator=torch.Generator().manual_seed(0))
    found = model({'points': clouds}, mode='predict')
    answers = model({'points': clouds}, mode='tensor').argmax(2)
    assert torch.equal(torch.stack([sample.predicted_semantic for sample in found]), answers)


# ------------------------------------------------------------------ the loss


def test_the_loss_is_the_weighted_mean_over_labelled_points():
    model = build()
    clouds = torch.randn(3, 64, 3, generator=torch.Generator().manual_seed(0))
    target = torch.randint(-1, 4, (3, 64), generator=torch.Generator().manual_seed(1))
    logits = model({'points': clouds}, mode='tensor').flatten(0, 1)
    plain = model({'points': clouds}, samples(target), mode='loss')
    torch.testing.assert_close(plain['loss'], F.cross_entropy(logits, target.flatten(), ignore_index=-1))
    model.set_class_counts([8000, 1000, 8, 0])
    weight = torch.tensor([1.0, 2.0, 10.0, 20.0])
    weighted = model({'points': clouds}, samples(target), mode='loss')
    torch.testing.assert_close(weighted['loss'], F.cross_entropy(logits, target.flatten(), weight, ignore_index=-1))
    right = (logits.argmax(1) == target.flatten())[target.flatten() >= 0].float().mean()
    torch.testing.assert_close(weighted['accuracy'], right)


def test_a_batch_without_labels_teaches_nothing():
    model = build()
    out = model({'points': torch.randn(2, 64, 3)}, samples(torch.full((2, 64), -1)), mode='loss')
    out['loss'].backward()
    assert out['loss'] == 0 and out['accuracy'] == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_counts_stand_in_the_checkpoint():
    model, other = build(), build()
    model.set_class_counts(np.array([5, 4, 3, 2]))
    other.load_state_dict(model.state_dict())
    assert other.class_counts.tolist() == [5, 4, 3, 2]
    with pytest.raises(ValueError, match='the training data have 3 classes, but model.num_classes'):
        model.set_class_counts([1, 2, 3])


def test_bad_samples_are_named():
    model, clouds = build(), torch.randn(2, 64, 3)
    target = torch.zeros(2, 64, dtype=torch.int64)
    target[1, 5] = 4
    with pytest.raises(ValueError, match=r"'room_1' has points of class 4, expected 0 to 3, or -1"):
        model({'points': clouds}, samples(target), mode='loss')
    with pytest.raises(ValueError, match='learns from a class for every point'):
        model({'points': clouds}, [PointDataSample(), PointDataSample()], mode='loss')
    with pytest.raises(ValueError, match="mode must be 'loss'"):
        model({'points': clouds}, mode='both')
