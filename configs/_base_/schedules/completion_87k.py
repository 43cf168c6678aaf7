# As completion_181k.py for ShapeNet-55: 200 epochs of 41,952 shapes in batches of 96 are 87,400 updates. The rate falls
# to 0.76 of itself in 21 epochs, and ends at 0.07 of the first one. The test part of 84,144 cuts is scored twice.
_base_ = './completion_181k.py'

max_iters = 87400
epoch = 41952 / 96

param_scheduler = [dict(type='ExponentialLR', by_epoch=False, gamma=0.76 ** (1 / (21 * epoch)))]
train_cfg = dict(max_iters=max_iters, val_interval=43700)
auto_scale_lr = dict(base_batch_size=96)
custom_hooks = [
    dict(
        type='ValueScheduleHook',
        schedules=dict(norm_momentum=dict(kind='exponential', start=0.9, end=0.01, iters=int(136.3 * epoch))),
    ),
    dict(type='CompletionPictures'),
]
