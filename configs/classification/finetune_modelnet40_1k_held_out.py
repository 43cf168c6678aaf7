# ModelNet40, 1,024 points: as finetune_modelnet40_1k.py, a tenth of the training part held out to choose.
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet.
# The test part is not looked at. Score the chosen checkpoint on it once:
#   python tools/test.py configs/classification/finetune_modelnet40_1k.py \
#     work_dirs/classification/finetune_modelnet40_1k_held_out/best_*.pth
#
#   python tools/train.py configs/classification/finetune_modelnet40_1k_held_out.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_modelnet40_1k.py'
train_dataloader = dict(dataset=dict(indices=dict(drop=0, of=10)))
val_dataloader = dict(dataset=dict(split='train', indices=dict(keep=0, of=10)))
default_hooks = dict(checkpoint=dict(save_best='held_out/accuracy', rule='greater'))
