# As finetune_92k.py for the 50 examples of a 5-way 10-shot fold: 150 epochs in batches of 32 are 234 updates, 16 of
# them warm-up (METHODS 5.4: Point-BERT and its successors). tools/few_shot.py stretches it to other numbers of classes
# and examples by `epochs`. The queries are scored once, behind the last update.
_base_ = './finetune_92k.py'

epochs = 150
max_iters = 234
warmup_iters = 16

param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
