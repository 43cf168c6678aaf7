# Generated categories for a classifier: 864 training and 540 test shapes of 27 classes with 2,048 points; 1,024 of them
# are drawn at random (farthest points would cost a laptop more than the training). The first start generates the
# arrays into data/synthetic. The twin of modelnet40_classification.py and scanobjectnn_classification.py.
_base_ = ['../loaders.py', '../voting.py']

num_points = 1024

train_pipeline = [
    dict(type='RandomSample', num_points=num_points),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='FirstPoints', num_points=num_points),
    dict(type='PackInputs'),
]
categories = dict(type='SyntheticShapes', kind='categories', num_points=2048, cache_dir='data/synthetic')
test_part = dict(split='test', size=540, **categories)
train_dataloader = dict(
    num_workers=0,  # two cores are best used by the training itself
    persistent_workers=False,
    dataset=dict(split='train', size=864, pipeline=train_pipeline, **categories),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=test_pipeline, **test_part),
)
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(draws=30, dataset=dict(pipeline=train_pipeline, **test_part)),
)
