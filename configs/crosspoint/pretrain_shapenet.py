# CrossPoint on ShapeNet-55 with ShapeNetRendering pictures: two augmentations of a cloud, and a picture of it.
#
# Reproduces: the pre-training of arXiv 2203.00680 with DGCNN; README.md beside this names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet.
# Data: data/ShapeNet55-34, data/ShapeNetRendering (docs/datasets/shapenet.md). Without them: pretrain_synthetic.py.
#
#   python tools/train.py configs/crosspoint/pretrain_shapenet.py
#
# The contrast draws negatives from the batches of all processes and batch norm counts them all, so n processes with
# 20 / n samples each equal one with 20.
_base_ = [
    '../_base_/models/crosspoint.py',
    '../_base_/datasets/shapenet.py',
    '../_base_/schedules/crosspoint_210k.py',
    '../_base_/augmentations.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='LoadImages', num_views=1, size=224),
    dict(type='RandomSample', num_points=2048),
    dict(type='MultiView', pipelines=[_base_.crosspoint_view] * 2),
    *_base_.crosspoint_image,
    dict(type='PackInputs', image_views=1, image_size=224),
]
train_dataloader = dict(batch_size=20, dataset=dict(pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=5244, save_best='probe/svm', rule='greater'))
