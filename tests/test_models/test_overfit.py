"""METHODS 1.8.8: the model can learn 8 shapes by heart; a labelled task can learn its own."""

import pytest
import torch

from mmpt.datasets import SyntheticRooms
from mmpt.datasets.synthetic.categories import CATEGORIES, category_shape
from mmpt.datasets.synthetic.composites import free_composite
from mmpt.evaluation.protocols import confusion_matrix, semantic_scores, shape_iou
from mmpt.ops import chamfer_distance
from mmpt.structures import PointDataSample

from .conftest import losses_of


@pytest.mark.slow
def test_eight_shapes_are_learnt_by_heart(model_cfg, build):
    dim = 96
    model_cfg['image_encoder'] = None
    model_cfg['encoder'].update(num_groups=16, group_size=32, dim=dim, depth=3, drop_path=0.0)
    model_cfg['decoder'].update(dim=dim)
    model_cfg['tokenizer']['group_size'] = model_cfg['heads']['plr']['group_size'] = 32
    for head in model_cfg['heads'].values():
        head['dim'] = dim
    model_cfg['heads']['mcl'].update(hidden_dim=64, out_dim=32, image_dim=None)
    model_cfg['heads']['plr']['loss'] = {'type': 'ChamferLoss', 'norm': 'l1'}
    model_cfg['balancer'] = {'type': 'FixedBalancer', 'weights': {'tlr': 2.0, 'plr': 30.0, 'mcl': 0.1}, 'interval': 0}
    model = build(model_cfg).train()
    points = torch.stack([torch.from_numpy(free_composite(0, index, 1024).points) for index in range(8)])
    batch = {'inputs': {'points': list(points)}}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=650)
    for _ in range(650):
        # The same mask every step: there is nothing to generalise to.
        total, log, _ = losses_of(model, batch, step=1)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        schedule.step()
    model.draws.set(seed=0, step=1, rank=0, world_size=1)
    step, _ = model.step({'points': points})
    _, provided = model.heads['plr'].loss(step)
    predicted, target = provided['reconstruction'].points.flatten(0, 1), step['patches'].points[step['mask'].hidden]
    assert float(log['task/tlr']) < 0.1
    assert float(chamfer_distance(predicted, target, 'l1')) < 0.02
    assert float(log['mcl/intra']) < 0.1


def test_the_parts_of_sixteen_shapes_are_learnt_by_heart(build):
    counts = [len(category.part_names) for category in CATEGORIES]
    shapes = [category_shape(0, label, label, 256) for label in range(16)]
    points = torch.stack([torch.from_numpy(shape.points) for shape in shapes])
    samples = [PointDataSample(label=label, parts=torch.from_numpy(s.parts)) for label, s in enumerate(shapes)]
    model = build(
        {
            'type': 'PartSegmentor',
            'parts': counts,
            'encoder': {
                'type': 'PointTransformer',
                'num_groups': 32,
                'group_size': 8,
                'dim': 32,
                'depth': 1,
                'num_heads': 4,
                'drop_path': 0.0,
                'patch_widths': (16, 32, 32),
                'init': 'default',
            },
            'head': {'category_dim': 16, 'point_dims': (96, 64), 'dims': (64, 32), 'dropout': 0.0},
        }
    ).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=120)
    for _ in range(120):
        optimiser.zero_grad()
        model({'points': points}, samples, mode='loss')['loss'].backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        predicted = model.eval()({'points': points}, samples, mode='predict')
    by_shape = [shape_iou(s.parts, s.predicted_parts, counts[int(s.label)]) for s in predicted]
    assert sum(by_shape) / 16 > 0.9


def test_blocks_of_sixteen_rooms_are_learnt_by_heart(build):
    block = {'type': 'CropBlock', 'size': 1.5, 'num_points': 256, 'random': False}
    data = SyntheticRooms(size=16, num_points=8000, pipeline=[block, {'type': 'PackInputs'}])
    batch = [data[index] for index in range(16)]
    points = torch.stack([item['inputs']['points'] for item in batch])
    samples = [item['data_samples'] for item in batch]
    model = build(
        {
            'type': 'SemanticSegmentor',
            'num_classes': 13,
            'encoder': {
                'type': 'PointTransformer',
                'num_groups': 32,
                'group_size': 8,
                'dim': 32,
                'depth': 1,
                'num_heads': 4,
                'drop_path': 0.0,
                'patch_widths': (16, 32, 32),
                'init': 'default',
            },
            'head': {'point_dims': (96, 64), 'dims': (64, 32), 'dropout': 0.0},
        }
    ).train()
    model.set_class_counts(data.class_counts())
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=80)
    for _ in range(80):
        optimiser.zero_grad()
        model({'points': points}, samples, mode='loss')['loss'].backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        predicted = model.eval()({'points': points}, samples, mode='predict')
    confusion = sum(confusion_matrix(s.semantic, s.predicted_semantic, 13) for s in predicted)
    assert semantic_scores(confusion).miou > 0.9
