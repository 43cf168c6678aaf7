"""Boxes as a set: the matching is the best there is, their order does not matter, bad samples are named."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper

from mmpt.evaluation import DetectionAP
from mmpt.models.losses import BoxPredictions, BoxSetLoss, generalized_iou
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample

ENCODER = {
    'type': 'PointTransformer',
    'num_groups': 16,
    'group_size': 8,
    'dim': 24,
    'depth': 2,
    'num_heads': 3,
    'drop_path': 0.0,
    'patch_widths': (8, 16, 24),
    'init': 'default',
}
CLASSES = 3


def build(**changes):
    torch.manual_seed(0)
    cfg = {'type': 'SetDetector', 'num_classes': CLASSES, 'num_queries': 12, 'yaw_bins': 4, 'encoder': ENCODER}
    return MODELS.build({**cfg, 'head': {'dim': 24, 'depth': 2, 'num_heads': 3}, **changes})


def random_boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(count, 7, generator=generator)
    boxes = boxes * torch.tensor([4.0, 4, 1, 1, 1, 1, 6]) + torch.tensor([-2.0, -2, 0, 0.3, 0.3, 0.3, -3])
    return boxes, torch.randint(CLASSES, (count,), generator=generator)


def scene(number, boxes, labels):
    sample = PointDataSample(metainfo={'sample_id': f'scene_{number}'})
    sample.set_field(boxes, 'boxes')
    sample.set_field(labels, 'box_labels')
    return sample


def scenes(*counts):
    return [scene(number, *random_boxes(count, number)) for number, count in enumerate(counts)]


def clouds(count, points=128):
    return torch.rand(count, points, 3, generator=torch.Generator().manual_seed(0)) * 4 - torch.tensor([2.0, 2.0, 0.0])


def answers(queries=6, bins=4, scenes_=2):
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(scenes_, queries, CLASSES + 1, generator=generator)
    boxes = torch.stack([random_boxes(queries, 10 + number)[0][:, :6] for number in range(scenes_)])
    turns = torch.randn(2, scenes_, queries, bins, generator=generator)
    return BoxPredictions(logits, boxes, *turns)


# ------------------------------------------------------------------ the loss


def test_generalized_iou_is_the_definition():
    one, two = random_boxes(40, 1)[0].double(), random_boxes(40, 2)[0].double()
    found = generalized_iou(one[:, :3] - two[:, :3], one[:, 3:6], two[:, 3:6])
    for a, b, value in zip(one.numpy(), two.numpy(), found):
        corners = np.stack([a[:3] - a[3:6] / 2, b[:3] - b[3:6] / 2]), np.stack([a[:3] + a[3:6] / 2, b[:3] + b[3:6] / 2])
        hull = (corners[1].max(0) - corners[0].min(0)).prod()
        shared = np.clip(corners[1].min(0) - corners[0].max(0), 0, None).prod()
        union = a[3:6].prod() + b[3:6].prod() - shared
        assert float(value) == pytest.approx(shared / union - (hull - union) / hull, abs=1e-9)
    assert generalized_iou(torch.zeros(3), torch.ones(3), torch.ones(3)) == 1


def slow_cost(loss, found, number, query, box, label):
    """What one query costs for one true box; the true box is turned to the axes together with the way to its centre."""
    mine, chance = found.boxes[number, query].double(), found.logits[number, query].double().softmax(0)[label]
    way = (mine[:3] - box[:3]).numpy()
    turn = -float(box[6])
    x, y = way[0] * math.cos(turn) - way[1] * math.sin(turn), way[0] * math.sin(turn) + way[1] * math.cos(turn)
    giou = generalized_iou(torch.tensor([x, y, way[2]]).double(), mine[3:], box[3:6].double())
    l1 = sum(abs(float(a) - float(b)) for a, b in zip(mine, box[:6]))
    return loss.box_weight * l1 - loss.class_weight * float(chance) - loss.giou_weight * float(giou), l1, float(giou)


def test_the_matching_is_the_best_of_all():
    loss, found = BoxSetLoss(), answers()
    truth = [random_boxes(3, 1), random_boxes(2, 2)]
    pairs = loss.match(found, [boxes for boxes, _ in truth], [labels for _, labels in truth])
    for number, ((boxes, labels), (query, chosen)) in enumerate(zip(truth, pairs)):
        cost = [
            [slow_cost(loss, found, number, q, box, label)[0] for box, label in zip(boxes, labels)] for q in range(6)
        ]
        best = min(
            itertools.permutations(range(6), len(boxes)), key=lambda order: sum(cost[q][m] for m, q in enumerate(order))
        )
        assert sorted(zip(query.tolist(), chosen.tolist())) == sorted((q, m) for m, q in enumerate(best))


def test_the_terms_are_the_definition():
    loss, found = BoxSetLoss(), answers()
    truth = [random_boxes(3, 1), random_boxes(0, 2)]
    boxes, labels = [boxes for boxes, _ in truth], [labels for _, labels in truth]
    out = loss(found, boxes, labels)
    (query, chosen), nothing = loss.match(found, boxes, labels)
    assert not len(nothing[0])
    target = torch.full((2, 6), CLASSES)
    box_loss = yaw_loss = 0.0
    for q, m in zip(query.tolist(), chosen.tolist()):
        target[0, q] = labels[0][m]
        _, l1, giou = slow_cost(loss, found, 0, q, boxes[0][m], labels[0][m])
        box_loss += 5 * l1 + 2 * (1 - giou)
        # The bin whose middle is the nearest, around half a turn.
        yaw = float(boxes[0][m][6])
        away = [(yaw - k * math.pi / 4 + math.pi / 2) % math.pi - math.pi / 2 for k in range(4)]
        nearest = min(range(4), key=lambda k: abs(away[k]))
        rest = found.yaw_rests[0, q, nearest]
        yaw_loss += F.cross_entropy(found.yaw_logits[0, q], torch.tensor(nearest))
        yaw_loss += F.smooth_l1_loss(rest, torch.tensor(away[nearest] / (math.pi / 8)))
    weight = torch.tensor([1.0] * CLASSES + [0.1])
    classes = F.cross_entropy(found.logits.flatten(0, 1), target.flatten(), weight)
    torch.testing.assert_close(out['class'] / out['class_total'], classes)
    torch.testing.assert_close(float(out['box']), box_loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(out['yaw'], yaw_loss)
    assert out['box_total'] == 3


def test_a_yaw_that_is_right_costs_least_and_is_read_back():
    yaw = torch.linspace(-4, 4, 33)
    place = (yaw % math.pi) * 4 / math.pi
    nearest = place.round()
    logits = 30 * F.one_hot(nearest.long() % 4, 4).float()
    rests = (2 * (place - nearest))[:, None].expand(-1, 4)
    found = BoxPredictions(torch.zeros(33, 2), torch.zeros(33, 6), logits, rests)
    assert ((found.yaw() - yaw + 1) % math.pi - 1).abs().max() < 1e-5
    assert BoxSetLoss._yaw(logits, rests, yaw) < 1e-5


def test_turning_a_scene_leaves_the_measure_of_its_boxes():
    """GIoU is measured along the axes of the true box, so it is the same in every frame."""
    loss, found = BoxSetLoss(box_weight=0.0), answers()
    boxes, labels = zip(random_boxes(3, 1), random_boxes(2, 2))
    turn = torch.tensor([[math.cos(0.7), -math.sin(0.7)], [math.sin(0.7), math.cos(0.7)]])

    def turned(rows, yaw):
        return torch.cat([rows[..., :2] @ turn.T, rows[..., 2:6], rows[..., 6:] + yaw], dim=-1)

    plain = loss(found, boxes, labels)
    other = loss(found._replace(boxes=turned(found.boxes, 0)), [turned(own, 0.7) for own in boxes], labels)
    torch.testing.assert_close(other['box'], plain['box'])


# ------------------------------------------------------------------ the model


def test_the_order_of_boxes_does_not_matter_and_every_parameter_learns():
    model, points, samples = build(), clouds(2), scenes(4, 3)
    out = model({'points': points}, samples, mode='loss')
    out['loss'].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert {'loss', 'class', 'box', 'yaw'} == set(out)
    shuffled = [scene(0, samples[0].boxes.flip(0), samples[0].box_labels.flip(0)), samples[1]]
    again = model({'points': points}, shuffled, mode='loss')
    torch.testing.assert_close(again['loss'], out['loss'])


@pytest.mark.parametrize('bins', [0, 4])
def test_scenes_without_boxes_teach_that_nothing_is_there(bins):
    model = build(yaw_bins=bins)
    unknown = scene(1, random_boxes(2)[0], torch.full((2,), -1))
    out = model({'points': clouds(2)}, [scenes(0)[0], unknown], mode='loss')
    out['loss'].backward()
    assert out['box'] == out['yaw'] == 0 < out['class']
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_predictions_are_in_metres_whatever_the_scale():
    model = build(scale=4.0).eval()
    found = model({'points': clouds(2)}, mode='tensor')
    samples = model({'points': clouds(2)}, scenes(1, 1), mode='predict')
    for number, sample in enumerate(samples):
        assert sample.predicted_boxes.shape == (12, 7) and sample.box_scores.shape == (12, CLASSES)
        torch.testing.assert_close(sample.predicted_boxes[:, :6], 4 * found.boxes[number])
        torch.testing.assert_close(sample.box_scores.sum(1), 1 - found.logits[number].softmax(1)[:, -1])
    # A scene, its boxes and the scale grown alike are the same to the network.
    small, grown = scenes(3)[0], random_boxes(3)[0] * torch.tensor([2.0] * 6 + [1.0])
    twice = build(scale=8.0).eval()
    loss = model({'points': clouds(1)}, [small], mode='loss')['loss']
    torch.testing.assert_close(
        twice({'points': 2 * clouds(1)}, [scene(0, grown, small.box_labels)], mode='loss')['loss'], loss
    )


def test_without_bins_a_turned_box_counts_as_the_one_along_the_axes_that_holds_it():
    model = build(yaw_bins=0, scale=1.0)
    boxes, labels = random_boxes(5)
    ((found, *_), _) = model._targets([scene(0, boxes, labels)], torch.device('cpu'))
    for box, own in zip(boxes.numpy(), found.numpy()):
        signs = np.array(list(itertools.product((-0.5, 0.5), repeat=2)))
        cos, sin = np.cos(box[6]), np.sin(box[6])
        corners = (signs * box[3:5]) @ np.array([[cos, sin], [-sin, cos]]) + box[:2]
        np.testing.assert_allclose(own[3:5], np.ptp(corners, axis=0), rtol=1e-5)
        np.testing.assert_allclose(own[[0, 1, 2, 5, 6]], [*box[:3], box[5], 0], rtol=1e-5)
    predicted = model.eval()({'points': clouds(1)}, mode='predict')[0].predicted_boxes
    assert not predicted[:, 6].any()


def test_bad_samples_are_named():
    model, points = build(), clouds(1)
    boxes, labels = random_boxes(3)
    with pytest.raises(ValueError, match=r"sample 'scene_0' has a box of class 3, expected 0 to 2, or -1 for unknown"):
        model({'points': points}, [scene(0, boxes, labels * 0 + 3)], mode='loss')
    with pytest.raises(ValueError, match="sample 'scene_0' has 13 boxes, but SetDetector asks for 12 only"):
        model({'points': points}, scenes(13), mode='loss')
    with pytest.raises(ValueError, match='SetDetector learns from boxes and their labels'):
        model({'points': points}, [PointDataSample()], mode='loss')
    with pytest.raises(ValueError, match="mode must be 'loss'"):
        model({'points': points}, mode='both')


def furnished(seed, points=192):
    """Two or three boxes far from each other on a floor, points on their surfaces; the class says how tall they are."""
    rng, places = np.random.default_rng(seed), np.array([[-1.2, -1.2], [1.2, -1.0], [0.0, 1.3]])
    boxes, labels, cloud = [], [], []
    for place in places[: 2 + seed % 2]:
        label = int(rng.integers(CLASSES))
        size = np.array([*rng.uniform(0.6, 1.1, 2), 0.5 + 0.6 * label])
        boxes.append([*place, size[2] / 2, *size, rng.uniform(0, np.pi)])
        labels.append(label)
        own = rng.uniform(-0.5, 0.5, (points // 3, 3))
        axis = rng.integers(3, size=len(own))
        own[np.arange(len(own)), axis] = np.sign(own[np.arange(len(own)), axis]) / 2
        cos, sin = np.cos(boxes[-1][6]), np.sin(boxes[-1][6])
        cloud.append((own * size) @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + boxes[-1][:3])
    rest = points - sum(map(len, cloud))
    cloud.append(np.concatenate([rng.uniform(-2, 2, (rest, 2)), np.zeros((rest, 1))], axis=1))
    cloud = rng.permutation(np.concatenate(cloud))
    return torch.tensor(cloud).float(), scene(seed, torch.tensor(boxes).float(), torch.tensor(labels))


def test_four_scenes_are_learnt_by_heart():
    points, samples = zip(*(furnished(seed) for seed in range(4)))
    encoder = {**ENCODER, 'num_groups': 32, 'dim': 48, 'patch_widths': (16, 32, 48)}
    head = {'dim': 48, 'depth': 2, 'num_heads': 4}
    model = build(encoder=encoder, head=head, num_queries=8, scale=2.0, loss={'no_object_weight': 0.4})
    optim = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=2e-3), clip_grad={'max_norm': 1.0})
    schedule = torch.optim.lr_scheduler.OneCycleLR(optim.optimizer, 2e-3, total_steps=180, pct_start=0.1)
    batch = {'points': torch.stack(points)}
    for _ in range(180):
        optim.update_params(model(batch, list(samples), mode='loss')['loss'])
        schedule.step()
    metric = DetectionAP(CLASSES)
    metric.process(None, model.eval()(batch, list(samples), mode='predict'))
    scores = metric.evaluate(4)
    assert scores['detection/ap50'] > 0.9, scores
