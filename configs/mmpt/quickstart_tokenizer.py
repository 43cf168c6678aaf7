# The small tokenizer of the quick start: 512 ids for patches of 32 points, trained on generated shapes.
#
# Hardware and time: 2 CPU cores, three and a half minutes without AVX-512, after the shapes are made.
# Figure to expect: see the table in README; `tools/quickstart.sh` makes it.
#
#   python tools/train.py configs/mmpt/quickstart_tokenizer.py
_base_ = [
    '../_base_/models/discrete_vae.py',
    '../_base_/models/quickstart_tokenizer.py',
    '../_base_/datasets/quickstart.py',
    '../_base_/schedules/quickstart_tokenizer.py',
    '../_base_/default_runtime.py',
]
model = dict(
    num_groups=32,
    codebook_start=270,
    usage=dict(over='batch'),
    tokenizer=_base_.quickstart_tokenizer_sizes,
)
train_pipeline = [
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=800, max_keep_ckpts=1))
