# Completion of generated objects seen from one side: the twin of pcn.py and shapenet55.py, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet. overfit_synthetic.py is the small one for a laptop.
# Figure to expect: not measured yet.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/completion/synthetic.py --amp --cfg-options model.checkpoint=FILE
_base_ = [
    '../_base_/models/completion.py',
    '../_base_/datasets/completion_synthetic.py',
    '../_base_/schedules/completion_87k.py',
    '../_base_/default_runtime.py',
]
model = dict(num_queries=96)
train_cfg = dict(val_interval=4370)
default_hooks = dict(checkpoint=dict(interval=4370))
