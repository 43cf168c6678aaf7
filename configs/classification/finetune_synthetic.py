# Generated categories, the twin without a download: fine-tuning of the whole encoder (METHODS 5.1, Point-MAE).
#
# Hardware and time: 2 CPU cores with AVX-512, 3 minutes beside other work, one thread.
# Figure to expect: the rows of docs/tasks/benchmark.md.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
# Its size is that of the checkpoint; without one that of the quick start.
#
#   python tools/train.py configs/classification/finetune_synthetic.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/categories_classification.py',
    '../_base_/schedules/finetune_810.py',
    '../_base_/default_runtime.py',
]
small = dict(num_groups=32, dim=128, depth=4, num_heads=4, drop_path=0.0, patch_widths=(32, 64, 128), init='default')
model = dict(encoder=small, num_classes=27)
default_hooks = dict(checkpoint=dict(interval=270, max_keep_ckpts=1), logger=dict(interval=27))
