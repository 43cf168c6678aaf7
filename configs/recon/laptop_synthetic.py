# ReCon small enough for a laptop, on the data, the budget and the val protocol of the quick start.
#
# Its teachers are stand-ins of random weights; generated composites have no captions, so that the text task is 0.
#
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every method the same minutes.
# Figure to expect: the table in docs/family.md, made by that command.
#
#   python tools/train.py configs/recon/laptop_synthetic.py
_base_ = [
    '../_base_/models/recon_stand_in.py',
    '../_base_/datasets/quickstart.py',
    '../_base_/schedules/laptop_pretrain.py',
    '../_base_/default_runtime.py',
]
dim = 128
model = dict(
    encoder=dict(
        num_groups=32,
        dim=dim,
        depth=4,
        num_heads=4,
        drop_path=0.0,
        patch_widths=(32, 64, 128),
        init='default',
    ),
    decoder=dict(dim=dim, depth=1, num_heads=4, drop_path=0.0),
    heads=dict(plr=dict(dim=dim), img=dict(dim=dim), text=dict(dim=dim)),
)
train_pipeline = [
    dict(type='PickViews', num_views=1),
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='RotateUp', max_angle=180.0),
    dict(type='PackInputs', image_views=1, image_size=64),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=300, max_keep_ckpts=1), logger=dict(interval=25))
