# AdamW 2e-4, weight decay 0.05, 60 epochs in batches of 32, 10 of them warm-up, cosine, gradients clipped at 10
# (METHODS 5.6 and 5.5). One update a batch; the peers' loops make two. An epoch is as many blocks of 2,048 points as
# the training rooms hold: of the 215 million points that S3DIS counts in 272 rooms some 160 million in the 204 of five
# areas, 80,000 blocks, 2,500 updates. The number is rounded, so that it does not depend on the files.
# The test area is scored on the way, and selects nothing: the last checkpoint counts.
max_iters = 150000
warmup_iters = 25000
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
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=25000)
val_cfg = dict(type='ValLoop')
auto_scale_lr = dict(enable=False, base_batch_size=32)
custom_hooks = [dict(type='ClassCountsHook'), dict(type='SemanticPictures')]
