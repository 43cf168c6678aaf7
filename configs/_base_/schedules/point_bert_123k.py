# 300 epochs of the 52,470 shapes of both ShapeNet-55 lists in batches of 128 are 122,977 updates; 3 epochs of warm-up
# (METHODS 2.1). No pictures: nothing is reconstructed point by point.
_base_ = './pretrain_98k.py'

max_iters = 122977
warmup_iters = 1230

param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(max_iters=max_iters, val_interval=4100)
custom_hooks = [dict(type='EncoderEMAHook', momentum=0.999)]
