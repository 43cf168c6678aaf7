# 300 epochs of 14,007 shapes in batches of 16 are 262,500 updates; AdamW, 10 epochs of warm-up, cosine (METHODS 5.5).
# One update a batch; the peers' loops make two. The test part is scored on the way, and selects nothing: the last
# checkpoint counts.
max_iters = 262500
warmup_iters = 8750
lr = 2e-4

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.005, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=26250)
val_cfg = dict(type='ValLoop')
auto_scale_lr = dict(enable=False, base_batch_size=16)
custom_hooks = [dict(type='PartPictures')]
