# A folder of your own: clouds and meshes in classes, with one of their rendered pictures each; scored on its test part.
# Expects data/own_shapes/{train,test}/<class>/<name>.<suffix>, data/own_images/{train,test}/<class>/<name>/*.png;
# docs/tutorials/own_shapes.md makes both. The generated twin, without files, is synthetic.py beside this file.
_base_ = '../loaders.py'

num_points = 1024
image_size = 64

own_shapes = dict(type='PointCloudFolder', data_root='data/own_shapes', split_by='folder', up_axis='y')
train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='LoadImages', num_views=1, size=image_size),
    dict(type='SampleSurface', num_points=num_points),  # meshes; clouds pass through
    dict(type='RandomSample', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs', image_views=1, image_size=image_size),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    dataset=dict(split='train', images_root='data/own_images', pipeline=train_pipeline, **own_shapes),
)
val_pipeline = [
    dict(type='LoadPoints'),
    dict(type='SampleSurface', num_points=num_points),
    dict(type='FirstPoints', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='PackInputs'),
]
val_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(split='train', pipeline=val_pipeline, **own_shapes),
            dict(split='test', pipeline=val_pipeline, **own_shapes),
        ],
    ),
)
