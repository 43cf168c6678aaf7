# The tokenizer of tokenizer_shapenet.py on generated shapes: the same model and schedule, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet. quickstart_tokenizer.py is the small one for a laptop.
# Figure to expect: not measured here yet.
#
#   python tools/train.py configs/mmpt/tokenizer_synthetic.py
_base_ = [
    '../_base_/models/discrete_vae.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/tokenizer_197k.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline, views=0))
default_hooks = dict(checkpoint=dict(interval=6555))
