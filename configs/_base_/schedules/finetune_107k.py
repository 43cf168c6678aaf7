# As finetune_92k.py for the 11,416 training shapes of PB-T50-RS: 300 epochs are 107,025 updates.
_base_ = './finetune_92k.py'

max_iters = 107025
warmup_iters = 3568

param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(max_iters=max_iters, val_interval=warmup_iters)
