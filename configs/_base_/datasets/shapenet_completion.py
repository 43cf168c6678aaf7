# ShapeNet-55 completion: a random part is cut away for training, each of eight fixed ones (here half) for measuring.
# Expects data/ShapeNet55-34; mmpt/datasets/shapenet_completion.py names the files.
# The generated twin, without a download, is shapenet_completion_synthetic.py beside this file.
_base_ = '../loaders.py'

num_points = 2048
removed = 0.5  # 0.25 is called easy, 0.5 median, 0.75 hard

train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='UnitSphere'),
    dict(type='CropViewpoint', removed=(0.25, 0.75), num_points=num_points),
    dict(type='PackInputs'),
]
val_pipelines = [
    [
        dict(type='LoadPoints'),
        dict(type='UnitSphere'),
        dict(type='CropViewpoint', removed=removed, num_points=num_points, viewpoint=viewpoint),
        dict(type='PackInputs'),
    ]
    for viewpoint in range(8)
]
completion_data = dict(type='ShapeNetCompletion', data_root='data/ShapeNet55-34', variant='ShapeNet-55')
train_dataloader = dict(
    batch_size=96,
    num_workers=8,
    dataset=dict(split='train', pipeline=train_pipeline, **completion_data),
)
val_dataloader = dict(
    batch_size=96,
    num_workers=8,
    dataset=dict(
        type='ConcatDataset',
        datasets=[dict(split='test', pipeline=pipeline, **completion_data) for pipeline in val_pipelines],
    ),
)
