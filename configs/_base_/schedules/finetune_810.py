# As finetune_92k.py for 864 generated shapes: 30 epochs are 810 updates, 3 of them warm-up.
_base_ = './finetune_92k.py'

max_iters = 810
warmup_iters = 81

param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(max_iters=max_iters, val_interval=warmup_iters)
