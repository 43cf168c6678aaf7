# MMPT on ShapeNet-55 with ShapeNetRendering images: token reconstruction, point reconstruction, multi-modal contrast.
#
# Reproduces: the method of arXiv 2507.17533 as METHODS 1.3 reads it. No number of the paper is known to this project.
# Hardware and time: meant for one node of GPUs; not measured yet.
# Figure to expect: none yet. `probe/svm` and `probe/knn` are scored on generated categories.
# Data: data/ShapeNet55-34, data/ShapeNetRendering (docs/data.md). Without them: pretrain_synthetic.py.
# First: python tools/train.py configs/mmpt/tokenizer_shapenet.py
#
#   python tools/train.py configs/mmpt/pretrain_shapenet.py --amp
#   bash tools/dist_train.sh configs/mmpt/pretrain_shapenet.py 4 --amp --cfg-options train_dataloader.batch_size=32
#
# The contrast draws negatives from the batches of all processes and batch norm counts them all, so n processes with
# 128 / n samples each equal one with 128. Accumulation adds up gradients, not negatives: it is no substitute.
_base_ = [
    '../_base_/models/mmpt.py',
    '../_base_/datasets/shapenet.py',
    '../_base_/schedules/pretrain_98k.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=3278, save_best='probe/svm', rule='greater'))
