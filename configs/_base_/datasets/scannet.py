# ScanNet v2, segmentation: 20 classes, one point per 2 cm voxel, x y z, colour and normal.
# Expects data/scannet as tools/dataset_converters/scannet.py writes it; docs/datasets/scannet.md says of what.
# The twin without a download, generated rooms, is rooms_synthetic.py beside this file.
_base_ = '../loaders.py'

feature_keys = ('colors', 'normals')

train_pipeline = [
    dict(type='CentreFloor'),
    dict(type='RotateUp', up_axis='z'),
    dict(type='FlipXY'),
    dict(type='ContrastPointColors'),
    dict(type='ShiftPointColors'),
    dict(type='JitterPointColors'),
    dict(type='GridSample', size=0.02),
    dict(type='CropSphere', num_points=102400),
    dict(type='CentreFloor'),
    dict(type='PackInputs', feature_keys=feature_keys),
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(type='ScanNet', data_root='data/scannet', split='train', variant='seg20', pipeline=train_pipeline),
)
val_pipeline = [
    dict(type='CentreFloor'),
    dict(type='GridSample', size=0.02, random=False, inverse=True),
    dict(type='PackInputs', feature_keys=feature_keys),
]
val_dataloader = dict(
    batch_size=1,
    dataset=dict(type='ScanNet', data_root='data/scannet', split='val', variant='seg20', pipeline=val_pipeline),
)
