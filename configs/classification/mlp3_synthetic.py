# Generated categories, the twin without a download: three layers on the frozen encoder (MLP-3, METHODS 5.2).
#
# Hardware and time: 2 CPU cores, minutes; not measured yet.
# Figure to expect: not measured yet.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/mlp3_synthetic.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_synthetic.py'
model = dict(frozen=True, pooling=('max', 'mean'), task_encoder=None)
