# Point-M2AE on generated shapes: the twin of pretrain_shapenet.py, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet. laptop_synthetic.py is the small one for a laptop.
# Figure to expect: not measured here yet.
#
#   python tools/train.py configs/point_m2ae/pretrain_synthetic.py --amp
_base_ = [
    '../_base_/models/point_m2ae.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/pretrain_98k_of_131k.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='RandomSample', num_points=2048),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=128, dataset=dict(views=0, pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
default_hooks = dict(checkpoint=dict(interval=3278, save_best='probe/svm', rule='greater'))
