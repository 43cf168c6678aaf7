# One fold of Point-BERT's few-shot protocol on ModelNet40: the support for training, both parts in one val loop.
# Expects data/ModelNetFewshot; docs/datasets/modelnet_fewshot.md names the files in it.
# The generated twin, without a download, is few_shot_synthetic.py beside this file.
# A result is mean and standard deviation over the ten folds of a way and a shot; set them in all three places.
_base_ = '../loaders.py'

num_points = 1024

train_pipeline = [
    dict(type='UnitSphere'),
    dict(type='RandomSample', num_points=num_points),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='UnitSphere'),
    dict(type='FirstPoints', num_points=num_points),
    dict(type='PackInputs'),
]
fewshot = dict(type='ModelNetFewShot', data_root='data/ModelNetFewshot', way=5, shot=10, fold=0)
train_dataloader = dict(
    dataset=dict(split='train', pipeline=train_pipeline, **fewshot),
)
val_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(split='train', pipeline=val_pipeline, **fewshot),
            dict(split='test', pipeline=val_pipeline, **fewshot),
        ],
    ),
)
