# 300 epochs of the 9,843 training shapes of ModelNet40 in batches of 32 are 92,278 updates; AdamW, 10 epochs of
# warm-up, cosine, gradients clipped at 10 (METHODS 5.1: Point-BERT and Point-MAE). The last update counts: nothing is
# chosen by the test part, which is scored every 10 epochs for the eye.
# ReCon and PCP-MAE: --cfg-options optim_wrapper.optimizer.lr=1e-5 (ScanObjectNN: 2e-5).
# Layer-wise rates: --cfg-options optim_wrapper.paramwise_cfg.layer_decay=0.75
max_iters = 92278
warmup_iters = 3076

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=warmup_iters)
val_cfg = dict(type='ValLoop')
val_evaluator = [dict(type='ClassificationAccuracy')]
auto_scale_lr = dict(enable=False, base_batch_size=32)
