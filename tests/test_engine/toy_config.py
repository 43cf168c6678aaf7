# ruff: noqa: C408
_base_ = '../../configs/_base_/default_runtime.py'

custom_imports = dict(imports=['toy_parts'], allow_failed_imports=False)
model = dict(type='ToyModel')
train_dataloader = dict(
    dataset=dict(type='ToyData'), sampler=dict(type='StepSampler'), batch_size=4, num_workers=0, drop_last=False
)
val_dataloader = dict(
    dataset=dict(type='ToyData', size=9),
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_size=4,
    num_workers=0,
)
val_evaluator = dict(type='ToyScore')
train_cfg = dict(by_epoch=False, max_iters=20, val_interval=8)
val_cfg = dict()
optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.05),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=5, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=5, end=20, eta_min=1e-4, by_epoch=False),
]
custom_hooks = [
    dict(type='EncoderEMAHook', momentum=0.9),
    dict(
        type='ValueScheduleHook', schedules=dict(temperature=dict(kind='cosine', start=1.0, end=0.1, begin=2, iters=12))
    ),
]
default_hooks = dict(checkpoint=dict(interval=6), logger=dict(interval=4))
auto_scale_lr = dict(base_batch_size=8)
