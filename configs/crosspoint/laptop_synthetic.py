# CrossPoint small enough for a laptop, on the data and the val protocol of the quick start. A shape is two clouds here:
# 32 of them make a batch, of 512 points each, because every edge convolution compares all points with all others.
#
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every method the same minutes.
# Figure to expect: the table in docs/family.md, made by that command.
#
#   python tools/train.py configs/crosspoint/laptop_synthetic.py
_base_ = [
    '../_base_/models/crosspoint.py',
    '../_base_/datasets/quickstart.py',
    '../_base_/schedules/laptop_pretrain.py',
    '../_base_/augmentations.py',
    '../_base_/default_runtime.py',
]
dim = 128
model = dict(
    encoder=dict(dim=dim, k=10, edge_widths=(32, 32, 64, 128)),
    image_encoder=dict(model_name='test_resnet'),
    heads=dict(mcl=dict(dim=dim, image_dim=96, hidden_dim=256, image_hidden_dim=256, out_dim=128)),
)
train_pipeline = [
    dict(type='PickViews', num_views=1),
    dict(type='RandomSample', num_points=512),
    dict(type='MultiView', pipelines=[_base_.crosspoint_view] * 2),
    *_base_.crosspoint_image,
    dict(type='PackInputs', image_views=1, image_size=64),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
custom_hooks = [dict(type='EncoderEMAHook', momentum=0.99)]
default_hooks = dict(checkpoint=dict(interval=300, max_keep_ckpts=1), logger=dict(interval=25))
