# Part segmentation of generated objects: the twin of shapenet_part.py, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet. synthetic_frozen.py is the small one for a laptop.
# Figure to expect: not measured here yet.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/part_segmentation/synthetic.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/part_segmentor.py',
    '../_base_/datasets/shapenet_part_synthetic.py',
    '../_base_/schedules/part_segmentation_262k.py',
    '../_base_/default_runtime.py',
]
model = dict(parts=_base_.part_counts)
val_evaluator = [dict(type='PartIoU', parts=_base_.part_counts)]
default_hooks = dict(checkpoint=dict(interval=8750))
