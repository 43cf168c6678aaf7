# PCN: one of eight partial scans of each model for training, the only one for measuring.
# Expects data/PCN; mmpt/datasets/pcn.py names the files. Without a download: completion_synthetic.py.
_base_ = '../loaders.py'

num_points = 2048

train_pipeline = [
    dict(type='LoadPartial'),
    dict(type='ResamplePoints', num_points=num_points, mode='repeat'),
    dict(type='RandomMirror', axes='xz'),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='LoadPartial', random=False),
    dict(type='ResamplePoints', num_points=num_points, mode='repeat'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=48,
    num_workers=8,
    dataset=dict(type='PCN', data_root='data/PCN', split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=48,
    num_workers=4,
    dataset=dict(type='PCN', data_root='data/PCN', split='val', pipeline=val_pipeline),
)
test_dataloader = dict(
    batch_size=48,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type='PCN', data_root='data/PCN', split='test', pipeline=val_pipeline),
)
