# 800 updates of 16 clouds: 270 with the patches' own features, then through codes whose temperature falls.
max_iters = 800

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=3e-3, betas=(0.9, 0.999), weight_decay=5e-4),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
custom_hooks = [
    dict(
        type='ValueScheduleHook',
        schedules=dict(
            temperature=dict(kind='cosine', start=1.0, end=0.0625, iters=570),
            usage_weight=dict(kind='cosine', start=0.0, end=0.002, begin=50, iters=160),
        ),
    ),
]
