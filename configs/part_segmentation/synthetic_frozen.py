# A small head on a frozen encoder, on the generated shapes of the quick start: what its tokens say about parts.
#
# Hardware and time: 2 CPU cores, minutes.
# Figure to expect: the row of docs/tasks/benchmark.md, after 200 updates.
# Any checkpoint goes; without one the encoder is that of the quick start at random: the control.
#
#   python tools/train.py configs/part_segmentation/synthetic_frozen.py --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/part_segmentor.py',
    '../_base_/datasets/shapenet_part_synthetic.py',
    '../_base_/schedules/part_segmentation_262k.py',
    '../_base_/default_runtime.py',
]
max_iters = 300
small = dict(num_groups=32, dim=128, depth=4, num_heads=4, drop_path=0.0, patch_widths=(32, 64, 128), init='default')
model = dict(
    encoder=small,
    task_encoder=None,
    frozen=True,
    parts=_base_.part_counts,
    head=dict(category_dim=32, point_dims=(128, 64), dims=(64, 64)),
)
loader = dict(num_workers=0, persistent_workers=False)
train_pipeline = [
    dict(type='ScaleAndTranslate', scale=(0.8, 1.25), shift=(-0.1, 0.1), isotropic=True),
    dict(type='PackInputs'),
]
val_pipeline = [dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(size=864, num_points=1024, pipeline=train_pipeline), **loader)
val_dataloader = dict(dataset=dict(size=540, num_points=1024, pipeline=val_pipeline), **loader)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, eta_min=1e-5),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
val_evaluator = [dict(type='PartIoU', parts=_base_.part_counts)]
default_hooks = dict(checkpoint=dict(interval=max_iters, max_keep_ckpts=1), logger=dict(interval=25))
