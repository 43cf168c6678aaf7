# Generated categories, the twin without a download: one layer on the frozen encoder (LINEAR, METHODS 5.2).
#
# Hardware and time: 2 CPU cores, a minute for 270 updates.
# Figure to expect: the row of docs/tasks/benchmark.md, 270 updates in place of the schedule's.
# Without model.checkpoint it is the control: the same training from scratch, or of the head on a random encoder.
#
#   python tools/train.py configs/classification/linear_synthetic.py \
#     --cfg-options model.checkpoint=pretrain.pth
_base_ = './finetune_synthetic.py'
model = dict(frozen=True, hidden_layers=0, pooling=('max', 'mean'), task_encoder=None)
# One layer on features that nothing scales learns slowly at the rate of fine-tuning. Chosen on a fifth of the training
# part that was held out, 270 updates with MMPT of docs/family.md: 0.804, 0.821, 0.786, 0.740 at 0.02, 0.1, 0.5, 2.
optim_wrapper = dict(optimizer=dict(lr=0.1))
