# Generated objects, seen from one side: hidden-point removal makes partial clouds as a scan would, from a random
# direction for training and from each of the eight corners for measuring.
# The first start generates the arrays into data/synthetic, later ones read them.
_base_ = '../loaders.py'

num_points = 2048

generated = dict(type='SyntheticShapes', kind='categories', num_points=8192, cache_dir='data/synthetic')
partial = [dict(type='ResamplePoints', num_points=num_points, mode='repeat'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(split='train', size=2160, pipeline=[dict(type='HiddenPointRemoval'), *partial], **generated),
)
val_dataloader = dict(
    batch_size=32,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                split='test',
                size=108,
                pipeline=[dict(type='HiddenPointRemoval', viewpoint=viewpoint), *partial],
                **generated,
            )
            for viewpoint in range(8)
        ],
    ),
)
