# ReCon on generated shapes with rendered pictures: the twin of pretrain_shapenet.py, nothing to download.
#
# Its teachers are stand-ins of random weights; generated composites have no captions, so that the text task is 0.
#
# Hardware and time: meant for one GPU; not measured yet. laptop_synthetic.py is the small one for a laptop.
# Figure to expect: not measured yet.
#
#   python tools/train.py configs/recon/pretrain_synthetic.py --amp
_base_ = [
    '../_base_/models/recon_stand_in.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/pretrain_98k.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='PickViews', num_views=1),
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='RotateUp', max_angle=180.0),
    dict(type='PackInputs', image_views=1, image_size=64),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=3278, save_best='probe/svm', rule='greater'))
