# 300 epochs of 41,952 shapes in batches of 128 are 98,325 updates; AdamW, 10 epochs of warm-up, cosine (METHODS U12).
max_iters = 98325
warmup_iters = 3280
lr = 5e-4

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=3278)
val_cfg = dict(type='ValLoop')
val_evaluator = [dict(type='FeatureProbe', pooling=('max', 'mean'), standardize=True, svm=dict(C='cv'))]
auto_scale_lr = dict(enable=False, base_batch_size=128)

custom_hooks = [
    dict(type='EncoderEMAHook', momentum=0.999),
    dict(type='ReconstructionPictures', interval=3278),
]
