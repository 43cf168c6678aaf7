# Completion of 16 generated objects by heart: can the model say what it was shown? Small enough for a laptop.
#
# Hardware and time: 2 CPU cores with AVX-512: 2.4 minutes beside other work, with one thread.
# Figure to expect: completion/chamfer_l1 23.8, completion/copy/chamfer_l1 62.2 (the input itself): 0.38 of it.
#
#   python tools/train.py configs/completion/overfit_synthetic.py
_base_ = [
    '../_base_/models/completion.py',
    '../_base_/datasets/completion_synthetic.py',
    '../_base_/schedules/completion_87k.py',
    '../_base_/default_runtime.py',
]
max_iters = 400
small = dict(dim=128, depth=4, num_heads=4, drop_path=0.0, patch_widths=(32, 64, 128), init='default')
model = dict(
    num_queries=24,
    encoder=small,
    task_encoder=dict(num_groups=32, group_size=32),
    head=dict(global_dim=256, dim=128, depth=4, num_heads=4, fold_dim=128),
)
pipeline = [
    dict(type='HiddenPointRemoval', flip=1.5, viewpoint=0),
    dict(type='ResamplePoints', num_points=512, mode='repeat'),
    dict(type='PackInputs'),
]
shapes = dict(split='train', size=16, pipeline=pipeline, **{**_base_.generated, 'num_points': 2048})
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(batch_size=16, dataset=shapes, **loader)
val_dataloader = dict(batch_size=16, dataset=dict(_delete_=True, **shapes), **loader)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=max_iters, eta_min=1e-5)]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=max_iters, max_keep_ckpts=1), logger=dict(interval=25))
custom_hooks = [dict(type='CompletionPictures')]
