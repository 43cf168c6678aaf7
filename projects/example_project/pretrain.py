# ruff: noqa: C408
# Everything of your own: encoder, head, loss and transform of this folder, on generated shapes.
#
#   python tools/train.py projects/example_project/pretrain.py --work-dir work_dirs/example
_base_ = [
    '../../configs/_base_/datasets/synthetic.py',
    '../../configs/_base_/schedules/pretrain_98k.py',
    '../../configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['projects.example_project'], allow_failed_imports=False)

dim = 128
model = dict(
    type='MultiTaskPretrainer',
    encoder=dict(type='TinyPointNet', dim=dim),
    views=dict(first=dict(source='points'), second=dict(source='points_view2')),
    heads=dict(agreement=dict(type='AgreementHead', dim=dim, loss=dict(type='CrossCorrelationLoss'))),
)
cut = [dict(type='CutByPlane', keep=0.6), dict(type='RandomSample', num_points=512), dict(type='UnitSphere')]
train_pipeline = [dict(type='MultiView', pipelines=[cut, cut]), dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(size=4000, num_points=1024, views=0, pipeline=train_pipeline))

max_iters = 1000
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(max_iters=max_iters, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=500, save_best='probe/svm', rule='greater'))
custom_hooks = [dict(type='EncoderEMAHook', momentum=0.99)]
