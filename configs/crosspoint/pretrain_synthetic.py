# CrossPoint on generated shapes with rendered pictures: the twin of pretrain_shapenet.py, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet. laptop_synthetic.py is the small one for a laptop.
# Figure to expect: not measured yet.
#
#   python tools/train.py configs/crosspoint/pretrain_synthetic.py
_base_ = [
    '../_base_/models/crosspoint.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/crosspoint_210k.py',
    '../_base_/augmentations.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='PickViews', num_views=1),
    dict(type='RandomSample', num_points=2048),
    dict(type='MultiView', pipelines=[_base_.crosspoint_view] * 2),
    *_base_.crosspoint_image,
    dict(type='PackInputs', image_views=1, image_size=64),
]
train_dataloader = dict(batch_size=20, dataset=dict(pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=5244, save_best='probe/svm', rule='greater'))
