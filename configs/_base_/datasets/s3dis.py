# S3DIS rooms, tested on Area 5: blocks of 1 m x 1 m with 2,048 points, x y z alone, as ACT and PCP-MAE train.
# Expects data/s3dis/Area_<k>_<room>.npy; docs/datasets/s3dis.md says where they come from. The twin without a download
# is rooms_synthetic.py beside this file.
# Each room comes once an epoch; points_per_sample=2048 of the data set takes rooms by their size, as those papers do.
# The val part is one block in the middle of each room; GridSample(random=False, inverse=True) gives whole rooms.
_base_ = '../loaders.py'

num_points = 2048

train_pipeline = [
    dict(type='CropBlock', size=1.0, num_points=num_points, min_points=1024),
    dict(type='ScaleAndTranslate', scale=(0.8, 1.25), shift=(-0.1, 0.1), isotropic=True),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(type='S3DIS', data_root='data/s3dis', split='train', test_area=5, pipeline=train_pipeline),
)
val_pipeline = [
    dict(type='CropBlock', size=1.0, num_points=num_points, random=False),
    dict(type='PackInputs'),
]
val_dataloader = dict(
    batch_size=32,
    dataset=dict(type='S3DIS', data_root='data/s3dis', split='test', test_area=5, pipeline=val_pipeline),
)
