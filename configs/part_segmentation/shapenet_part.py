# Part segmentation of ShapeNetPart (text files): fine-tuning of a pre-trained encoder with Point-MAE's head.
#
# Reproduces: the part segmentation of arXiv 2203.06604; docs/tasks/part_segmentation.md names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: none yet here. Published: Point-MAE 86.1 instance mIoU (docs/tasks/part_segmentation.md).
# Data: docs/datasets/shapenet_part.md. Without it: synthetic.py.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/part_segmentation/shapenet_part.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/part_segmentor.py',
    '../_base_/datasets/shapenet_part.py',
    '../_base_/schedules/part_segmentation_262k.py',
    '../_base_/default_runtime.py',
]
model = dict(parts=_base_.part_counts)
val_evaluator = [dict(type='PartIoU', parts=_base_.part_counts)]
default_hooks = dict(checkpoint=dict(interval=8750))
