# ShapeNetPart as text files: 16 classes, 50 parts; trained on train and val, as usual, and measured on test.
# Expects data/shapenetcore_partanno_segmentation_benchmark_v0_normal; mmpt/datasets/shapenet_part.py names the files.
# The generated twin, without a download, is shapenet_part_synthetic.py beside this file.
_base_ = '../loaders.py'

num_points = 2048
# Parts of every class in the order of the release, for the model and the metric.
part_counts = (4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3)

train_pipeline = [
    dict(type='UnitSphere'),
    dict(type='ResamplePoints', num_points=num_points, mode='replace'),
    dict(type='ScaleAndTranslate', scale=(0.8, 1.25), shift=(-0.1, 0.1), isotropic=True),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='UnitSphere'),
    dict(type='ResamplePoints', num_points=num_points, mode='replace'),
    dict(type='PackInputs'),
]
part_data = dict(
    type='ShapeNetPart',
    data_root='data/shapenetcore_partanno_segmentation_benchmark_v0_normal',
    variant='text',
)
train_dataloader = dict(
    batch_size=16,
    dataset=dict(split='trainval', pipeline=train_pipeline, **part_data),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    dataset=dict(split='test', pipeline=val_pipeline, **part_data),
)
