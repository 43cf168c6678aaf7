# Detection of 18 classes in ScanNet v2, trained on 1,201 scenes, scored on the 312 of val by AP at IoU 0.25 and 0.5.
#
# Reproduces: the task of ACT (arXiv 2212.08320) with a set decoder after 3DETR; docs/tasks/detection.md names what
# differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/detection.md.
# Data: docs/datasets/scannet.md. Without it: synthetic.py.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/detection/scannet.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/detector.py',
    '../_base_/datasets/scannet_det.py',
    '../_base_/schedules/detection_162k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_classes=18)
val_evaluator = [dict(type='DetectionAP', num_classes=18)]
default_hooks = dict(checkpoint=dict(interval=3003))
