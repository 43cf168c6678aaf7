# Detection of furniture in generated rooms, boxes turned about z: the twin of scannet.py, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet. overfit_synthetic.py is the small one for a laptop.
# Figure to expect: not measured yet.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/detection/synthetic.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/detector.py',
    '../_base_/datasets/rooms_det_synthetic.py',
    '../_base_/schedules/detection_162k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_classes=10, yaw_bins=6)
val_evaluator = [dict(type='DetectionAP', num_classes=10)]
default_hooks = dict(checkpoint=dict(interval=3003))
