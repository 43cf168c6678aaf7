# Generated objects with a part label for every point: the twin of shapenet_part.py that needs no download.
# The first start generates the arrays into data/synthetic, later ones read them.
_base_ = './shapenet_part.py'

part_counts = (4, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4, 3, 4, 3, 3, 3, 4, 3, 4, 3, 4, 3, 4, 4, 4, 4, 4)
generated = dict(type='SyntheticShapes', kind='categories', num_points=2048, cache_dir='data/synthetic')
train_dataloader = dict(
    num_workers=2,
    dataset=dict(_delete_=True, split='train', size=4000, pipeline=_base_.train_pipeline, **generated),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(_delete_=True, split='test', size=800, pipeline=_base_.val_pipeline, **generated),
)
