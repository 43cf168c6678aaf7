# ModelNet40, 4,096 points in 256 patches: fine-tuning of the whole encoder (METHODS 5.1, Point-MAE).
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/classification.md.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/finetune_modelnet40_4k.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_modelnet40_1k.py'
train_pipeline = [
    dict(type='UnitSphere'),
    dict(type='FarthestPoints', num_points=4800),
    dict(type='RandomSample', num_points=4096),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='UnitSphere'), dict(type='FarthestPoints', num_points=4096), dict(type='PackInputs')]
model = dict(task_encoder=dict(num_groups=256))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
