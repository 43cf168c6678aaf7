# Few-shot on folds drawn from generated categories, the twin without a download: fine-tuning of the whole encoder on
# one fold, as configs/few_shot/modelnet40.py but for 30 epochs. A result is mean and deviation over all folds:
#
#   python tools/few_shot.py configs/few_shot/synthetic.py --checkpoint pretrain.pth
#
# Hardware and time: 2 CPU cores with AVX-512, 26 s a fold on average beside other work, one thread.
# Figure to expect: the rows of docs/tasks/benchmark.md, over ten folds.
# Without a checkpoint it is the control: the same training from scratch, in the size of the quick start.
#
#   python tools/train.py configs/few_shot/synthetic.py --cfg-options model.checkpoint=pretrain.pth    # fold 0 alone
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/few_shot_synthetic.py',
    '../_base_/schedules/few_shot_234.py',
    '../_base_/default_runtime.py',
]
epochs = 30
max_iters = 47
small = dict(num_groups=32, dim=128, depth=4, num_heads=4, drop_path=0.0, patch_widths=(32, 64, 128), init='default')
model = dict(encoder=small, num_classes=5)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=3),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=3, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1), logger=dict(interval=10))
