# The labelled part that pre-training is measured on: generated categories, their train and test part in one val loop.
# Included by shapenet.py and synthetic.py beside this file. The first start generates the arrays into data/synthetic.
_base_ = '../loaders.py'

val_pipeline = [
    dict(type='FirstPoints', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='PackInputs'),
]
val_categories = dict(
    type='SyntheticShapes',
    kind='categories',
    num_points=1024,
    cache_dir='data/synthetic',
    pipeline=val_pipeline,
)
val_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(split='train', size=1280, **val_categories),
            dict(split='test', size=640, **val_categories),
        ],
    ),
)
