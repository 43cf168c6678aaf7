# Generated shapes with one of four rendered pictures each, for pre-training; scored on generated categories.
# Nothing is downloaded: the first start generates the arrays into data/synthetic, later ones read them.
_base_ = './categories_val.py'

num_points = 1024
image_size = 64

train_pipeline = [
    dict(type='PickViews', num_views=1),
    dict(type='RandomSample', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='ColorJitter'),
    dict(type='RandomFlip'),
    dict(type='PackInputs', image_views=1, image_size=image_size),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='StepSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='SyntheticShapes',
        kind='composites',
        split='pretrain',
        size=20000,
        num_points=2048,
        views=4,
        image_size=image_size,
        cache_dir='data/synthetic',
        pipeline=train_pipeline,
    ),
)
