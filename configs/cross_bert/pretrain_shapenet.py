# Cross-BERT on ShapeNet-55 with ShapeNetRendering images: hidden patches are named with the help of the picture.
#
# Reproduces: the idea of arXiv 2312.04891 in our own design (README.md); code and settings are not public.
# Hardware and time: meant for one node of GPUs; not measured yet.
# Figure to expect: none yet. `probe/svm` and `probe/knn` are scored on generated categories.
# Data: data/ShapeNet55-34, data/ShapeNetRendering (docs/datasets/shapenet.md). Without them: pretrain_synthetic.py.
# First: python tools/train.py configs/mmpt/tokenizer_shapenet.py
#
#   python tools/train.py configs/cross_bert/pretrain_shapenet.py --amp
_base_ = [
    '../_base_/models/cross_bert.py',
    '../_base_/datasets/shapenet.py',
    '../_base_/schedules/pretrain_98k.py',
    '../_base_/default_runtime.py',
]
custom_hooks = [dict(type='EncoderEMAHook', momentum=0.999)]
default_hooks = dict(checkpoint=dict(interval=3278, save_best='probe/svm', rule='greater'))
