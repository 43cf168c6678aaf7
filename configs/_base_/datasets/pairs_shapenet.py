# ShapeNet-55 clouds with the first ShapeNetRendering picture each, the released train and test lists: for
# tools/retrieval.py. Shapes of the 42 classes without pictures are left out there.
# Expects data/ShapeNet55-34 and data/ShapeNetRendering (docs/datasets/shapenet.md); the generated twin, without a
# download, is pairs_synthetic.py beside this file.
_base_ = '../loaders.py'

num_points = 1024
image_size = 224

pair_pipeline = [
    dict(type='LoadPoints'),
    dict(type='LoadImages', num_views=1, size=image_size, random=False),
    dict(type='RandomSample', num_points=num_points),
    dict(type='UnitSphere'),
    dict(type='PackInputs', image_views=1, image_size=image_size),
]
shapenet_pairs = dict(
    type='ShapeNet',
    data_root='data/ShapeNet55-34',
    images_root='data/ShapeNetRendering',
    pipeline=pair_pipeline,
)
val_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(split='train', **shapenet_pairs),
            dict(split='test', **shapenet_pairs),
        ],
    ),
)
