# ScanObjectNN OBJ-BG, 2,048 points in 128 patches: fine-tuning of the whole encoder (METHODS 5.1, Point-MAE).
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/classification.md.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
# Rotation in place of scale and shift: --cfg-options train_dataloader.dataset.pipeline.1.type=RotateUp
#
#   python tools/train.py configs/classification/finetune_scanobjectnn_obj_bg.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/scanobjectnn_classification.py',
    '../_base_/schedules/finetune_22k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_classes=15, task_encoder=dict(num_groups=128))
variant = dict(variant='obj_bg')
train_dataloader = dict(dataset=variant)
val_dataloader = dict(dataset=variant)
test_dataloader = dict(dataset=dict(dataset=variant))
