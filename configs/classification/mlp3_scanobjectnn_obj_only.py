# ScanObjectNN OBJ-ONLY, 2,048 points in 128 patches: three layers on the frozen encoder (MLP-3, METHODS 5.2).
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/mlp3_scanobjectnn_obj_only.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_scanobjectnn_obj_only.py'
model = dict(frozen=True, pooling=('max', 'mean'), task_encoder=dict(_delete_=True, num_groups=128))
