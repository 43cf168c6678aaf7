# Generated categories with one rendered picture each, a train and a test part: what tools/retrieval.py measures on.
# Nothing is downloaded: the first start generates the arrays into data/synthetic. The twin of pairs_shapenet.py.
_base_ = '../loaders.py'

num_points = 1024
image_size = 64

pair_pipeline = [
    dict(type='FirstPoints', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='PackInputs', image_views=1, image_size=image_size),
]
pair_categories = dict(
    type='SyntheticShapes',
    kind='categories',
    num_points=num_points,
    views=1,
    image_size=image_size,
    cache_dir='data/synthetic',
    pipeline=pair_pipeline,
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(split='train', size=864, **pair_categories),
            dict(split='test', size=540, **pair_categories),
        ],
    ),
)
