# ModelNet40, 1,024 points in 64 patches: one layer on the frozen encoder (LINEAR, METHODS 5.2).
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/linear_modelnet40_1k.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_modelnet40_1k.py'
model = dict(frozen=True, hidden_layers=0, pooling=('max', 'mean'), task_encoder=None)
