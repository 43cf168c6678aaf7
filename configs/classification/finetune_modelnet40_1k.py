# ModelNet40, 1,024 points in 64 patches: fine-tuning of the whole encoder (METHODS 5.1, Point-MAE).
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/classification.md.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/finetune_modelnet40_1k.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/modelnet40_classification.py',
    '../_base_/schedules/finetune_92k.py',
    '../_base_/default_runtime.py',
]
