# Generated rooms with boxes of ten classes of furniture, turned about z: the twin of scannet_det.py that needs no
# download. The first start generates the arrays into data/synthetic, later ones read them.
_base_ = './scannet_det.py'

generated = dict(type='SyntheticRooms', num_points=40000, cache_dir='data/synthetic')
train_dataloader = dict(
    num_workers=2,
    dataset=dict(_delete_=True, split='train', size=256, pipeline=_base_.train_pipeline, **generated),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(_delete_=True, split='test', size=64, pipeline=_base_.val_pipeline, **generated),
)
