# Key frames of nuScenes: the sweep, six pictures, and which point is seen in which pixel of which picture. Expects
# data/nuscenes and the index that tools/dataset_converters/nuscenes.py writes into it; mmpt/datasets/nuscenes.py names
# the files. LiDAR frames have no generated twin yet. version='v1.0-mini' needs no index.
_base_ = '../loaders.py'

num_points = 16384
image_size = (224, 416)
version = 'v1.0-trainval'

pipeline = [
    dict(type='LoadImages', num_views=6, size=image_size),
    dict(type='RandomSample', num_points=num_points),
    dict(type='ProjectPoints'),
    dict(type='PackInputs', feature_keys=('intensity',), image_views=6, image_size=image_size),
]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(type='NuScenes', data_root='data/nuscenes', split='train', version=version, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(type='NuScenes', data_root='data/nuscenes', split='val', version=version, pipeline=pipeline),
)
