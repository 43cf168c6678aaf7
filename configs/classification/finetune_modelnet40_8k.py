# ModelNet40, 8,192 points in 512 patches: fine-tuning of the whole encoder (METHODS 5.1, Point-MAE).
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/classification.md.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/finetune_modelnet40_8k.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_modelnet40_1k.py'
train_pipeline = [
    dict(type='UnitSphere'),
    dict(type='FarthestPoints', num_points=8192),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='UnitSphere'), dict(type='FarthestPoints', num_points=8192), dict(type='PackInputs')]
model = dict(task_encoder=dict(num_groups=512))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
