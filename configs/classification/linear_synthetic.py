# Generated categories, the twin without a download: one layer on the frozen encoder (LINEAR, METHODS 5.2).
#
# Hardware and time: 2 CPU cores, minutes; not measured yet.
# Figure to expect: not measured yet.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/linear_synthetic.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_synthetic.py'
model = dict(frozen=True, hidden_layers=0, pooling=('max', 'mean'), task_encoder=None)
