# Generated categories, the twin without a download: three layers on the frozen encoder (MLP-3, METHODS 5.2).
#
# Hardware and time: 2 CPU cores with AVX-512, 1.6 minutes beside other work, one thread.
# Figure to expect: 0.837 with MMPT of docs/family.md, 0.696 with an untrained encoder whose statistics were calibrated.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/mlp3_synthetic.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_synthetic.py'
model = dict(frozen=True, pooling=('max', 'mean'), task_encoder=None)
