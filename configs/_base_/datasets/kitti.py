# Frames of the KITTI object benchmark: points in front of the car, the left colour picture, and which point is seen in
# which pixel. Expects data/kitti; mmpt/datasets/kitti.py names the files in it. LiDAR frames have no generated twin.
# The two parts are those of the release; split='train' and 'val' need lists that are not part of it.
_base_ = '../loaders.py'

num_points = 16384
image_size = (192, 640)

pipeline = [
    dict(type='LoadImages', num_views=1, size=image_size),
    dict(type='CropRange', low=(0, -40, -3), high=(70.4, 40, 1)),
    dict(type='RandomSample', num_points=num_points),
    dict(type='ProjectPoints'),
    dict(type='PackInputs', feature_keys=('intensity',), image_views=1, image_size=image_size),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(type='KITTI', data_root='data/kitti', split='training', pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    dataset=dict(type='KITTI', data_root='data/kitti', split='testing', pipeline=pipeline),
)
