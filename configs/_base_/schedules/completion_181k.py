# 300 epochs of the 28,974 models of PCN in batches of 48 are 181,087 updates (METHODS 5.8). The rate falls smoothly, to
# 0.9 of itself in 21 epochs, and ends at 0.22 of the first one: PoinTr's floor of 0.02 is not reached. The share that a
# batch has in the statistics of the batch norms is halved in 21 epochs, down to 0.01 after 21 log2(90) = 136.3.
max_iters = 181087
epoch = 28974 / 48

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=5e-4),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [dict(type='ExponentialLR', by_epoch=False, gamma=0.9 ** (1 / (21 * epoch)))]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=6036)
val_cfg = dict(type='ValLoop')
val_evaluator = [dict(type='CompletionScore')]
auto_scale_lr = dict(enable=False, base_batch_size=48)
custom_hooks = [
    dict(
        type='ValueScheduleHook',
        schedules=dict(norm_momentum=dict(kind='exponential', start=0.9, end=0.01, iters=int(136.3 * epoch))),
    ),
    dict(type='CompletionPictures'),
]
