"""Optimisation, sizes and augmentation of the labelled configs on real data: those of the tables in METHODS 5."""

from functools import cache
from types import SimpleNamespace

import pytest
from _small import ROOT
from mmengine.registry import DefaultScope
from torch import nn

from mmpt.engine.hooks.value_schedule_hook import scheduled_value
from mmpt.registry import MODELS
from mmpt.utils.config import load_config
from mmpt.utils.setup import register_all_modules

_CLASSES = SimpleNamespace(batch=32, lr=5e-4, decay=0.05, clip=10.0, epochs=300, warmup=10)
_PARTS = SimpleNamespace(samples=14007, batch=16, lr=2e-4, decay=0.05, clip=10.0, epochs=300, warmup=10)
_ROOMS = SimpleNamespace(samples=80000, batch=32, lr=2e-4, decay=0.05, clip=10.0, epochs=60, warmup=10)
#: config -> its table; ``samples`` of an epoch are shapes, scenes, or blocks of 2,048 points.
TABLES = {
    **{
        f'classification/{head}_{data}': SimpleNamespace(**{**vars(_CLASSES), 'samples': samples})
        for head in ('finetune', 'mlp3', 'linear')
        for data, samples in {
            'modelnet40_1k': 9843,
            'modelnet40_4k': 9843,
            'modelnet40_8k': 9843,
            'scanobjectnn_obj_bg': 2309,
            'scanobjectnn_obj_only': 2309,
            'scanobjectnn_pb_t50_rs': 11416,
        }.items()
    },
    'part_segmentation/shapenet_part': _PARTS,
    'part_segmentation/shapenet_part_h5': _PARTS,
    'part_segmentation/shapenet_part_graph': SimpleNamespace(**{**vars(_PARTS), 'lr': 5e-4, 'clip': None}),
    'semantic_segmentation/s3dis': _ROOMS,
    'semantic_segmentation/s3dis_blocks': _ROOMS,
    # 3DETR's options, which docs/tasks/detection.md names.
    'detection/scannet': SimpleNamespace(samples=1201, batch=8, lr=5e-4, decay=0.1, clip=0.1, epochs=1080, warmup=9),
}
#: METHODS 4.5: each axis on its own for objects, one factor for all of them for parts and blocks.
_OBJECTS = {'type': 'ScaleAndTranslate'}
_ISOTROPIC = {'type': 'ScaleAndTranslate', 'scale': (0.8, 1.25), 'shift': (-0.1, 0.1), 'isotropic': True}


@cache
def shipped(name):
    return load_config(ROOT / f'configs/{name}.py')


@pytest.mark.parametrize('name', TABLES)
def test_optimisation_is_that_of_the_table(name):
    """METHODS 5.1, 5.5, 5.6; trap 2: one update a batch."""
    cfg, table = shipped(name), TABLES[name]
    wrapper, optimizer = cfg.optim_wrapper, cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', table.lr, table.decay)
    # max_norm alone is the l2 norm of all gradients.
    assert wrapper.clip_grad == (None if table.clip is None else {'max_norm': table.clip})
    assert wrapper.get('accumulative_counts', 1) == 1
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == table.batch
    epoch = table.samples / table.batch
    assert cfg.train_cfg.max_iters == pytest.approx(table.epochs * epoch, rel=1e-3)
    warmup, cosine = cfg.param_scheduler
    assert (warmup.type, warmup.begin, warmup.end) == ('LinearLR', 0, pytest.approx(table.warmup * epoch, rel=1e-3))
    assert warmup.start_factor <= 0.005  # next to nothing
    assert (cosine.type, cosine.begin, cosine.end) == ('CosineAnnealingLR', warmup.end, cfg.train_cfg.max_iters)
    assert cosine.eta_min == 1e-6 and not warmup.by_epoch and not cosine.by_epoch


@pytest.mark.parametrize('name', TABLES)
def test_augmentation_is_that_of_the_table(name):
    """METHODS 4.5 and 5; nothing but x y z is read, and nothing is augmented where it is scored."""
    cfg = shipped(name)
    train, val = (loader.dataset.pipeline for loader in (cfg.train_dataloader, cfg.val_dataloader))
    random = ('ScaleAndTranslate', 'RotateUp', 'FlipXY')
    drawn = [dict(step) for step in train if step.type in random]
    if name.startswith('detection'):
        assert drawn == [{'type': 'FlipXY'}, {'type': 'RotateUp', 'max_angle': 5.0, 'up_axis': 'z'}]
    else:
        assert drawn == [_OBJECTS if name.startswith('classification') else _ISOTROPIC]
    assert not [step for step in val if step.type in random]
    assert train[-1] == val[-1] == {'type': 'PackInputs'} and cfg.model.encoder.in_channels == 3


def test_blocks_of_rooms_are_those_of_the_papers():
    """METHODS 5.6: columns of 1 m with 2,048 points and more than 1,024, rooms by their size."""
    for name in ('s3dis', 's3dis_blocks'):
        cfg = shipped(f'semantic_segmentation/{name}')
        block = {'type': 'CropBlock', 'size': 1.0, 'num_points': 2048, 'min_points': 1024}
        assert cfg.train_dataloader.dataset.pipeline[0] == block
        assert cfg.train_dataloader.dataset.points_per_sample == 2048
        assert 'ClassCountsHook' in [hook.type for hook in cfg.custom_hooks]
    assert cfg.val_dataloader.dataset.points_per_sample == 2048


def test_statistics_of_the_graph_head_slow_down():
    """METHODS 5.5: the momentum is 0.1, halved in 20 epochs, and not below 0.01."""
    hooks = shipped('part_segmentation/shapenet_part_graph').custom_hooks
    (momentum,) = [hook.schedules.norm_momentum for hook in hooks if 'schedules' in hook]
    for epoch in (0, 10, 20, 40, 60, 67, 300):
        expected = max(0.1 * 0.5 ** (epoch / 20), 0.01)
        assert scheduled_value(round(epoch * 14007 / 16), **momentum) == pytest.approx(expected, rel=5e-3)


#: widths of the linear layers of a head, outputs and inputs, in their order; blocks whose tokens it reads; patches;
#: whether the encoder has a class token, which a frozen one has from its pre-training.
_HEADS = {
    'classification/finetune_modelnet40_1k': ([(256, 768), (256, 256), (40, 256)], (), (64, 32), True),
    'classification/mlp3_scanobjectnn_pb_t50_rs': ([(256, 768), (256, 256), (15, 256)], (), (128, 32), None),
    'classification/linear_modelnet40_1k': ([(40, 768)], (), (64, 32), None),
    'part_segmentation/shapenet_part': (
        [(64, 16), (1536, 1155), (1024, 1536), (512, 3392), (256, 512), (50, 256)],
        (3, 7, 11),
        (128, 32),
        False,
    ),
    'part_segmentation/shapenet_part_graph': (
        # To 256 and 512 centres, up through both, to the points.
        [
            *[(1536, 387), (384, 1536)] * 2,
            *[(512, 768), (384, 1024)] * 2,
            *[(1536, 403), (384, 1536), (128, 384), (50, 128)],
        ],
        (3, 7, 11),
        (128, 32),
        True,
    ),
    'semantic_segmentation/s3dis': (
        [(1536, 1155), (1024, 1536), (512, 3328), (256, 512), (13, 256)],
        (3, 7, 11),
        (128, 32),
        False,
    ),
}


@pytest.fixture
def built():
    register_all_modules()
    with DefaultScope.overwrite_default_scope('mmpt'):
        yield lambda name: MODELS.build(shipped(name).model.to_dict())


@pytest.mark.parametrize('name', _HEADS)
def test_heads_are_those_of_the_table(name, built):
    widths, levels, patches, cls_token = _HEADS[name]
    model = built(name)
    head, encoder = model.head, model.encoder
    assert [tuple(part.weight.shape) for part in head.modules() if isinstance(part, nn.Linear)] == widths
    dropped = {part.p for part in head.modules() if isinstance(part, nn.Dropout)}
    assert dropped == (set() if len(widths) == 1 else {0.5})
    assert (tuple(encoder.levels), (encoder.num_groups, encoder.group_size)) == (levels, patches)
    assert cls_token is None or (encoder.cls_token is not None) == cls_token
    if name.endswith('graph'):
        assert head.num_centers == (256, 512) and head.up_fine.k == head.up_middle.k == 4
        assert head.up_fine.between.norm.num_groups == 4


def test_the_detector_has_the_sizes_of_3detr(built):
    """256 queries, 8 blocks of 256 channels and 4 heads; 18 classes and none, centre and size of a box."""
    model = built('detection/scannet')
    head = model.head
    assert (model.num_queries, len(head.blocks), head.blocks[0].attn.num_heads) == (256, 8, 4)
    assert tuple(head.classes.weight.shape) == (19, 256)
