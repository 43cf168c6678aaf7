# Completion of 108 generated objects that the training has not seen, in the size of overfit_synthetic.py: what
# tools/benchmark.py runs on a laptop.
#
# Hardware and time: 2 CPU cores with AVX-512, 2.4 minutes beside other work, one thread.
# Figure to expect: the rows of docs/tasks/benchmark.md.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/completion/synthetic_small.py --cfg-options model.checkpoint=FILE
_base_ = './overfit_synthetic.py'

# A direction is drawn for training, one is fixed for measuring. The arrays are those of the classification.
train_pipeline = [dict(type='HiddenPointRemoval', flip=1.5), *_base_.pipeline[1:]]
train_dataloader = dict(dataset=dict(size=864, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(split='test', size=540, indices=dict(keep=0, of=5)))
