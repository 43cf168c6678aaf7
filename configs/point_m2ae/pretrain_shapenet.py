# Point-M2AE on ShapeNet-55: patches of patches are hidden and reconstructed; no pictures, no tokenizer.
#
# Reproduces: the pre-training of arXiv 2205.14401 on the train list alone; README.md beside this names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: none yet here. Published: linear SVM 92.9 on ModelNet40 (README.md).
# Data: data/ShapeNet55-34 (docs/datasets/shapenet.md). Without it: pretrain_synthetic.py.
#
#   python tools/train.py configs/point_m2ae/pretrain_shapenet.py --amp
_base_ = [
    '../_base_/models/point_m2ae.py',
    '../_base_/datasets/shapenet.py',
    '../_base_/schedules/pretrain_98k_of_131k.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='RandomSample', num_points=2048),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(images_root=None, pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
default_hooks = dict(checkpoint=dict(interval=3278, save_best='probe/svm', rule='greater'))
