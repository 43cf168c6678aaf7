# Completion of PCN: fine-tuning of a pre-trained encoder with a head after PoinTr's; 2,048 points in, 16,384 out.
#
# Reproduces: the setting of arXiv 2108.08839, with another encoder; docs/tasks/completion.md names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet. Published: docs/tasks/completion.md.
# Data: docs/datasets/pcn.md; scored on val on the way, on test by tools/test.py --loop test. Without it: synthetic.py.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/completion/pcn.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/completion.py',
    '../_base_/datasets/pcn.py',
    '../_base_/schedules/completion_181k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_queries=224)
test_cfg = dict(type='TestLoop')
test_evaluator = _base_.val_evaluator
default_hooks = dict(checkpoint=dict(interval=6036))
