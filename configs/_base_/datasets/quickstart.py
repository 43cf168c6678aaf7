# The generated shapes of the quick start: 6,000 composites with two rendered pictures each for training, and 27 classes
# in a train and a test part for the score. Made in about a minute by two cores, then read from data/synthetic.
_base_ = './synthetic.py'

num_points = 1024
image_size = 64

train_pipeline = [
    dict(type='PickViews', num_views=1),
    dict(type='RandomSample', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs', image_views=1, image_size=image_size),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # two cores are best used by the training itself
    persistent_workers=False,
    dataset=dict(size=6000, views=2, pipeline=train_pipeline),
)
val_categories = dict(type='SyntheticShapes', kind='categories', num_points=1024, cache_dir='data/synthetic')
val_pipeline = [
    dict(type='FirstPoints', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='PackInputs'),
]
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        datasets=[
            dict(split='train', size=864, pipeline=val_pipeline, **val_categories),
            dict(split='test', size=540, pipeline=val_pipeline, **val_categories),
        ],
    ),
)
