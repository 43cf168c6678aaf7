# Point-BERT on generated shapes: the twin of pretrain_shapenet.py, nothing to download, no test part in training.
#
# Hardware and time: meant for one GPU; not measured yet. laptop_synthetic.py is the small one for a laptop.
# Figure to expect: not measured here yet.
# First: python tools/train.py configs/mmpt/tokenizer_synthetic.py
#
#   python tools/train.py configs/point_bert/pretrain_synthetic.py --amp
_base_ = [
    '../_base_/models/point_bert.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/point_bert_123k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    tokenizer=dict(
        checkpoint='work_dirs/mmpt/tokenizer_synthetic/iter_196650.pth',
        made_by='configs/mmpt/tokenizer_synthetic.py',
    ),
)
train_pipeline = [
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=128, dataset=dict(views=0, pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=4100, save_best='probe/svm', rule='greater'))
