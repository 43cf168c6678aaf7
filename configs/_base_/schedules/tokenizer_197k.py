# 300 epochs of 41,952 shapes in batches of 64 are 196,650 updates; the temperature falls and the usage term rises with
# the update (METHODS 2.1).
max_iters = 196650
warmup_iters = 6555
lr = 5e-4

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.999), weight_decay=5e-4),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=6555)
val_cfg = dict(type='ValLoop')
auto_scale_lr = dict(enable=False, base_batch_size=64)

custom_hooks = [
    dict(
        type='ValueScheduleHook',
        schedules=dict(
            temperature=dict(kind='cosine', start=1.0, end=0.0625, iters=100000),
            usage_weight=dict(kind='cosine', start=0.0, end=0.1, begin=10000, iters=100000),
        ),
    ),
]
