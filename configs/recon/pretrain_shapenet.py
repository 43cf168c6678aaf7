# ReCon on ShapeNet-55 with one picture and the caption of its class for each shape.
#
# Reproduces: the pre-training of arXiv 2302.02318 on the train list alone; README.md beside this names what differs.
# Hardware and time: meant for one GPU; not measured yet. The first epoch fills data/teacher_features (about 130 MB).
# Figure to expect: none yet here. Published: linear SVM 93.4 on ModelNet40 (README.md).
# Data: data/ShapeNet55-34 with shapenet_img (docs/datasets/shapenet_recon.md). Without it: pretrain_synthetic.py.
# First: pip install open_clip_torch
#
#   python tools/train.py configs/recon/pretrain_shapenet.py --amp
_base_ = [
    '../_base_/models/recon.py',
    '../_base_/datasets/shapenet_recon.py',
    '../_base_/schedules/pretrain_98k.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='LoadImages', num_views=1, size=224),
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='RotateUp', max_angle=180.0),
    dict(type='PackInputs', image_views=1, image_size=224),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=3278, save_best='probe/svm', rule='greater'))
