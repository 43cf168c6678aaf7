# Generated rooms with 13 classes, colours and boxes: the twin of s3dis.py and scannet.py that needs no download.
# Training takes blocks of 1 m x 1 m with 2,048 points, as there; the val part is whole rooms. 40,000 points a room are
# some 400 a square metre, so that most blocks hold what is drawn from them.
# The first start generates the arrays into data/synthetic, later ones read them.
_base_ = './s3dis.py'

val_pipeline = [dict(type='PackInputs')]
generated = dict(type='SyntheticRooms', num_points=40000, cache_dir='data/synthetic')
train_dataloader = dict(
    num_workers=2,
    dataset=dict(_delete_=True, split='train', size=256, pipeline=_base_.train_pipeline, **generated),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(_delete_=True, split='test', size=64, pipeline=val_pipeline, **generated),
)
