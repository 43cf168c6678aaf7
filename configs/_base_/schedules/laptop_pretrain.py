# 600 updates of 64 clouds.
max_iters = 600

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters, eta_min=1e-5),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
val_evaluator = [dict(type='FeatureProbe', pooling=('max', 'mean'), standardize=True, svm=dict(C='cv'))]
custom_hooks = [
    dict(type='EncoderEMAHook', momentum=0.99),
    dict(type='ReconstructionPictures', interval=150),
]
