# ShapeNet with one random render of MVCNN's twelve and the clouds of TAP, for pre-training; scored on generated
# categories. Expects data/ShapeNet55 with pointclouds and shapenet55v1; mmpt/datasets/mvcnn.py names the files in it.
# The generated twin, without a download, is synthetic.py beside this file.
_base_ = './categories_val.py'

num_points = 1024
image_size = 224

train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='LoadImages', num_views=1, size=image_size),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs', image_views=1, image_size=image_size),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='StepSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='ShapeNetMVCNN',
        data_root='data/ShapeNet55',
        split='trainval',
        variant='1024',
        pipeline=train_pipeline,
    ),
)
