# Detection in 16 generated rooms by heart: can the model say what it was shown? Small enough for a laptop.
#
# Hardware and time: 2 CPU cores: 4.5 minutes beside other work, with one thread.
# Figure to expect: detection/ap25 1.00, detection/ap50 1.00 (88 boxes).
#
#   python tools/train.py configs/detection/overfit_synthetic.py
_base_ = './synthetic.py'

max_iters = 400
model = dict(
    encoder=dict(dim=96, depth=3, num_heads=4, patch_widths=(32, 64, 96), init='default'),
    task_encoder=dict(num_groups=96, group_size=16, drop_path=0.0),
    num_queries=32,
    head=dict(dim=96, depth=3, num_heads=4),
    loss=dict(no_object_weight=0.3),
)
pipeline = [dict(type='CentreFloor'), dict(type='FirstPoints', num_points=2048), dict(type='PackInputs')]
rooms = dict(split='train', size=16, pipeline=pipeline)
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(batch_size=16, dataset=rooms, **loader)
val_dataloader = dict(batch_size=16, dataset=rooms, **loader)
optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=0.01), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, eta_min=1e-5),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=max_iters, max_keep_ckpts=1), logger=dict(interval=25))
