# Semantic segmentation of S3DIS, tested on Area 5: trained on blocks, scored on every point of whole rooms.
#
# Reproduces: the training of ACT (arXiv 2212.08320) and PCP-MAE on x y z; the score is the honest one. s3dis_blocks.py
# beside this scores as they do. docs/tasks/semantic_segmentation.md names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: none yet here. Published figures are on sampled blocks, and do not compare.
# Data: docs/datasets/s3dis.md. Without it: synthetic.py.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/semantic_segmentation/s3dis.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/semantic_segmentor.py',
    '../_base_/datasets/s3dis.py',
    '../_base_/schedules/semantic_segmentation_150k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_classes=13)
train_dataloader = dict(dataset=dict(points_per_sample=2048))
val_dataloader = dict(batch_size=1, dataset=dict(pipeline=[dict(type='PackInputs')]))
val_evaluator = [dict(type='SemanticIoU', num_classes=13)]
default_hooks = dict(checkpoint=dict(interval=2500))
