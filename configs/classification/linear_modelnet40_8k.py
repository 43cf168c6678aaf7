# ModelNet40, 8,192 points in 512 patches: one layer on the frozen encoder (LINEAR, METHODS 5.2).
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/linear_modelnet40_8k.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_modelnet40_8k.py'
model = dict(frozen=True, hidden_layers=0, pooling=('max', 'mean'), task_encoder=dict(_delete_=True, num_groups=512))
