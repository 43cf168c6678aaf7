# ModelNet40 in PointNet's h5 files of 2,048 points: what the SVM protocols of CrossPoint, Point-M2AE and I2P-MAE read.
# Expects data/modelnet40_ply_hdf5_2048; docs/datasets/modelnet.md names the files in it.
# The generated twin, without a download, is categories_val.py beside this file.
# The release is in the unit sphere already, and the protocols take the first 1,024 points of it without more ado.
_base_ = '../loaders.py'

num_points = 1024

train_pipeline = [
    dict(type='RandomSample', num_points=num_points),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='FirstPoints', num_points=num_points),
    dict(type='PackInputs'),
]
modelnet = dict(type='ModelNet', data_root='data/modelnet40_ply_hdf5_2048', variant='hdf5_2048')
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
