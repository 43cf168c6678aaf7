# Part segmentation of ShapeNetPart (h5 export): fine-tuning of a pre-trained encoder with Point-MAE's head.
#
# Reproduces: as shapenet_part.py beside this, on the files that DGCNN and CrossPoint use: 2,048 points of each shape.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: none yet here (docs/tasks/part_segmentation.md).
# Data: docs/datasets/shapenet_part.md. Without it: synthetic.py.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/part_segmentation/shapenet_part_h5.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/part_segmentor.py',
    '../_base_/datasets/shapenet_part_h5.py',
    '../_base_/schedules/part_segmentation_262k.py',
    '../_base_/default_runtime.py',
]
model = dict(parts=_base_.part_counts)
val_evaluator = [dict(type='PartIoU', parts=_base_.part_counts)]
default_hooks = dict(checkpoint=dict(interval=8750))
