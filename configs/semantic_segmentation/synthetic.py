# Semantic segmentation of generated rooms: the twin of s3dis.py, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured here yet.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/semantic_segmentation/synthetic.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/semantic_segmentor.py',
    '../_base_/datasets/rooms_synthetic.py',
    '../_base_/schedules/semantic_segmentation_150k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_classes=13)
val_evaluator = [dict(type='SemanticIoU', num_classes=13)]
default_hooks = dict(checkpoint=dict(interval=2500))
