# Generated categories: as finetune_synthetic.py, a tenth of the training part held out to choose.
#
# Hardware and time: 2 CPU cores, minutes; not measured yet.
# Figure to expect: not measured yet.
# The test part is not looked at. Score the chosen checkpoint on it once:
#   python tools/test.py configs/classification/finetune_synthetic.py \
#     work_dirs/classification/finetune_synthetic_held_out/best_*.pth
#
#   python tools/train.py configs/classification/finetune_synthetic_held_out.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_synthetic.py'
train_dataloader = dict(dataset=dict(indices=dict(drop=0, of=10)))
val_dataloader = dict(dataset=dict(split='train', size=864, indices=dict(keep=0, of=10)))
default_hooks = dict(checkpoint=dict(save_best='held_out/accuracy', rule='greater'))
