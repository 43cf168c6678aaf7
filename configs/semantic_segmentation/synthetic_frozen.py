# A small head on a frozen encoder, on 64 generated rooms: what its tokens say about the things in a room.
#
# Hardware and time: one core of a busy machine with two, 2 min 42 s (1 min 52 s of it computing), with rooms cached.
# Figure to expect: 0.315 semantic/miou with a checkpoint of configs/mmpt/quickstart_pretrain.py after 1,161 iterations,
# 0.192 without: one seed each, 8 rooms. Without a checkpoint the encoder is that of the quick start at random.
#
#   python tools/train.py configs/semantic_segmentation/synthetic_frozen.py --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/semantic_segmentor.py',
    '../_base_/datasets/rooms_synthetic.py',
    '../_base_/schedules/semantic_segmentation_150k.py',
    '../_base_/default_runtime.py',
]
max_iters = 300
small = dict(num_groups=32, dim=128, depth=4, num_heads=4, drop_path=0.0, patch_widths=(32, 64, 128), init='default')
model = dict(
    num_classes=13,
    encoder=small,
    task_encoder=None,
    frozen=True,
    head=dict(point_dims=(128, 64), dims=(64, 64)),
    whole_room=dict(num_points=1024),
)
loader = dict(num_workers=0, persistent_workers=False)
train_pipeline = [
    dict(type='CropBlock', size=1.0, num_points=1024, min_points=512),
    dict(type='ScaleAndTranslate', scale=(0.8, 1.25), shift=(-0.1, 0.1), isotropic=True),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(size=64, pipeline=train_pipeline), **loader)
val_dataloader = dict(dataset=dict(size=8), **loader)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, eta_min=1e-5),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
val_evaluator = [dict(type='SemanticIoU', num_classes=13)]
default_hooks = dict(checkpoint=dict(interval=max_iters, max_keep_ckpts=1), logger=dict(interval=25))
