# Generated shapes to be completed: the twin of shapenet_completion.py and pcn.py that needs no download.
# The first start generates the arrays into data/synthetic, later ones read them.
_base_ = './shapenet_completion.py'

generated = dict(type='SyntheticShapes', kind='composites', num_points=8192, cache_dir='data/synthetic')
train_dataloader = dict(
    num_workers=2,
    dataset=dict(_delete_=True, split='pretrain', size=2000, pipeline=_base_.train_pipeline, **generated),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        datasets=[dict(split='test', size=100, pipeline=pipeline, **generated) for pipeline in _base_.val_pipelines]
    ),
)
