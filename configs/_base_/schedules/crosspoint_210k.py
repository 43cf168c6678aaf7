# 100 epochs of 41,952 shapes in batches of 20 are 209,760 updates; Adam, cosine to 0 (METHODS 2.3).
max_iters = 209760

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    # Adam adds the decay to the gradient; AdamW is the one that does not.
    optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-6),
    clip_grad=None,
)
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=max_iters, eta_min=0),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=5244)
val_cfg = dict(type='ValLoop')
val_evaluator = [dict(type='FeatureProbe', pooling=('max', 'mean'), standardize=True, svm=dict(C='cv'))]
auto_scale_lr = dict(enable=False, base_batch_size=20)
