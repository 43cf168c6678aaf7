# 450 updates: with the tokenizer's, what two cores do within the ten minutes of the quick start.
_base_ = './laptop_pretrain.py'

max_iters = 450

param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters, eta_min=1e-5),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
