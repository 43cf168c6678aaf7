# Point-M2AE small enough for a laptop, on the data, the budget and the val protocol of the quick start.
#
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every method the same minutes.
# Figure to expect: the table in docs/family.md, made by that command.
#
#   python tools/train.py configs/point_m2ae/laptop_synthetic.py
_base_ = [
    '../_base_/models/point_m2ae.py',
    '../_base_/datasets/quickstart.py',
    '../_base_/schedules/laptop_pretrain.py',
    '../_base_/default_runtime.py',
]
dims = (32, 64, 128)
model = dict(
    encoder=dict(
        scales=[
            dict(num_groups=128, group_size=16, dim=dims[0], depth=1),
            dict(num_groups=64, group_size=8, dim=dims[1], depth=1),
            dict(num_groups=32, group_size=8, dim=dims[2], depth=2),
        ],
        num_heads=4,
        drop_path=0.0,
        patch_widths=(32, 64, 128),
        init='default',
    ),
    decoder=dict(scales=[dict(dim=dims[2], depth=1), dict(dim=dims[1], depth=1)], num_heads=4, drop_path=0.0),
    heads=dict(plr=dict(dim=dims[1])),
)
train_pipeline = [
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
default_hooks = dict(checkpoint=dict(interval=300, max_keep_ckpts=1), logger=dict(interval=25))
