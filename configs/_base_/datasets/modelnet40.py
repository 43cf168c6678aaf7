# ModelNet40 with normals (PointNet++'s resampled clouds): training part, and both parts in one val loop for probing.
# Expects data/ModelNet/modelnet40_normal_resampled; docs/datasets/modelnet.md names the files in it.
# The generated twin, without a download, is categories_val.py beside this file.
# As Point-BERT and its successors: the whole cloud into the unit sphere, then 1,024 points. In Point-BERT's .dat files
# the first 1,024 are the farthest ones, in text files any; metainfo['source'] says which was read.
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
modelnet = dict(
    type='ModelNet',
    data_root='data/ModelNet/modelnet40_normal_resampled',
    variant='normal_resampled',
    categories=40,
)
train_dataloader = dict(
    dataset=dict(split='train', pipeline=train_pipeline, **modelnet),
)
val_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(split='train', pipeline=val_pipeline, **modelnet),
            dict(split='test', pipeline=val_pipeline, **modelnet),
        ],
    ),
)
