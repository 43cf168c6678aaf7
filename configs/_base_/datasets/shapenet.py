# ShapeNet-55 clouds with one random ShapeNetRendering picture each, for pre-training; scored on generated categories.
# Expects data/ShapeNet55-34 and data/ShapeNetRendering; mmpt/datasets/shapenet.py names the files in them.
# The generated twin, without a download, is synthetic.py beside this file.
_base_ = './categories_val.py'

num_points = 1024
image_size = 224

train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='LoadImages', num_views=1, size=image_size),
    dict(type='RandomSample', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='ColorJitter'),
    dict(type='RandomFlip'),
    dict(type='PackInputs', image_views=1, image_size=image_size),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='StepSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='ShapeNet',
        data_root='data/ShapeNet55-34',
        split='train',
        images_root='data/ShapeNetRendering',
        pipeline=train_pipeline,
    ),
)
