# Detection in 16 generated rooms that the training on 64 has not seen, in the size of overfit_synthetic.py: what
# tools/benchmark.py runs on a laptop.
#
# Hardware and time: 2 CPU cores with AVX-512, 3 minutes beside other work, one thread.
# Figure to expect: the rows of docs/tasks/benchmark.md.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/detection/synthetic_small.py --cfg-options model.checkpoint=FILE
_base_ = './overfit_synthetic.py'

train_pipeline = [dict(type='FlipXY'), dict(type='RotateUp', max_angle=5.0, up_axis='z'), *_base_.pipeline]
train_dataloader = dict(dataset=dict(size=64, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(split='test', size=16))
