# The discrete-VAE tokenizer on ShapeNet-55, as Point-BERT trains it (METHODS 2.1); pretrain_shapenet.py needs it.
#
# Hardware and time: meant for one GPU; not measured yet. 2 CPU cores manage about 7 samples/s.
# Figure to expect: not measured here yet. The twin tokenizer_synthetic.py has one.
# Data: data/ShapeNet55-34 (docs/data.md). Without it: tokenizer_synthetic.py.
#
#   python tools/train.py configs/mmpt/tokenizer_shapenet.py
#   bash tools/dist_train.sh configs/mmpt/tokenizer_shapenet.py 4 --cfg-options train_dataloader.batch_size=16
_base_ = [
    '../_base_/models/discrete_vae.py',
    '../_base_/datasets/shapenet.py',
    '../_base_/schedules/tokenizer_197k.py',
    '../_base_/default_runtime.py',
]
# No augmentation and no images here.
train_pipeline = [
    dict(type='LoadPoints'),
    dict(type='RandomSample', num_points=1024),
    dict(type='UnitSphere'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline, images_root=None))
default_hooks = dict(checkpoint=dict(interval=6555))
