# Point-BERT on ShapeNet-55: hidden patches are named in a tokenizer's ids; mixtures of two clouds are told apart.
#
# Trains on the train AND THE TEST list of ShapeNet-55 (split='whole'), as the origin does: never score the result on
# ShapeNet-55's test list. split='train' is the one word to change; 98,325 updates are then 300 epochs.
#
# Reproduces: the pre-training of arXiv 2111.14819; README.md beside this names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: none yet here. Published: linear SVM 87.4 on ModelNet40 (README.md).
# Data: data/ShapeNet55-34 (docs/datasets/shapenet.md). Without it: pretrain_synthetic.py.
# First: python tools/train.py configs/mmpt/tokenizer_shapenet.py
#
#   python tools/train.py configs/point_bert/pretrain_shapenet.py --amp
_base_ = [
    '../_base_/models/point_bert.py',
    '../_base_/datasets/shapenet.py',
    '../_base_/schedules/point_bert_123k.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(split='whole', images_root=None, pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=4100, save_best='probe/svm', rule='greater'))
