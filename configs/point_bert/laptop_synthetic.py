# Point-BERT small enough for a laptop, on the data, the budget and the val protocol of the quick start.
#
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every method the same minutes.
# Figure to expect: the table in docs/family.md, made by that command.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/point_bert/laptop_synthetic.py
_base_ = [
    '../_base_/models/point_bert.py',
    '../_base_/models/quickstart_tokenizer.py',
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
        patch_dim=64,
        init='default',
    ),
    tokenizer=_base_.quickstart_tokenizer,
    momentum_encoder=dict(momentum=0.99),  # 0.999 would remember the start for all of the 600 updates
    heads=dict(
        tlr=dict(dim=dim, num_ids=512, init='default'),
        moco=dict(dim=dim, hidden_dim=128, out_dim=128, queue_size=1024, momentum=0.99, init='default'),
    ),
)
train_pipeline = [
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
custom_hooks = [dict(type='EncoderEMAHook', momentum=0.99)]
default_hooks = dict(checkpoint=dict(interval=300, max_keep_ckpts=1), logger=dict(interval=25))
