# One fold drawn from generated categories for a classifier: the twin of modelnet_fewshot_classification.py, without a
# download. 864 training and 540 test shapes of 27 classes, so that a fold has up to 32 examples and 20 queries a class.
# The first start generates the arrays into data/synthetic; categories_classification.py reads the same ones.
_base_ = '../loaders.py'

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
drawn = dict(
    type='DrawnFewShot',
    parts=dict(train=dict(split='train', size=864, **categories), test=dict(split='test', size=540, **categories)),
    way=5,
    shot=10,
    fold=0,
    queries=20,
)
train_dataloader = dict(
    num_workers=0,  # two cores are best used by the training itself
    persistent_workers=False,
    dataset=dict(split='train', pipeline=train_pipeline, **drawn),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(split='test', pipeline=test_pipeline, **drawn),
)
