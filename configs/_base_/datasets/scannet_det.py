# ScanNet v2, detection: boxes of 18 classes around the vertices of a scene, in the frame of the room, x y z alone.
# Expects data/scannet as tools/dataset_converters/scannet.py writes it; docs/datasets/scannet.md says of what.
# The twin without a download, generated rooms, is rooms_synthetic.py beside this file.
_base_ = '../loaders.py'

train_pipeline = [
    dict(type='FlipXY'),
    dict(type='RotateUp', max_angle=5.0, up_axis='z'),
    dict(type='CentreFloor'),
    dict(type='ResamplePoints', num_points=20000),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(type='ScanNet', data_root='data/scannet', split='train', variant='det18', pipeline=train_pipeline),
)
# Points are drawn by seed and index, so a checkpoint scores the same every time.
val_pipeline = [
    dict(type='CentreFloor'),
    dict(type='ResamplePoints', num_points=20000),
    dict(type='PackInputs'),
]
val_dataloader = dict(
    batch_size=1,
    dataset=dict(type='ScanNet', data_root='data/scannet', split='val', variant='det18', pipeline=val_pipeline),
)
