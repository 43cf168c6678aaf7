# As finetune_92k.py for the 2,309 training shapes of OBJ-BG and OBJ-ONLY: 300 epochs are 21,647 updates.
_base_ = './finetune_92k.py'

max_iters = 21647
warmup_iters = 722

param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(max_iters=max_iters, val_interval=warmup_iters)
