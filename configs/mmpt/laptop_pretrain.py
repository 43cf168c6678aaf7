# MMPT, the best recipe found so far for two CPU cores: quickstart_pretrain.py with a wider encoder, more shapes, more
# updates, and a contrast between two clouds drawn, shaken and stretched independently, half of the patches of each.
#
# How it was chosen, and what did not help: docs/evidence.md.
# Hardware and time: 2 CPU cores with AVX-512 BF16, 44 minutes with --amp (measured once); the shapes are made before.
# Figure to expect: on modelnet10_vox 1-NN .881 and linear SVM .922 (untrained .793 and .868): docs/evidence.md.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt/laptop_pretrain.py --amp
_base_ = './quickstart_pretrain.py'

max_iters, dim = 4000, 256

# The second view has fewer points, less exact: an encoder that only ever sees dense clouds is lost on sparse ones.
dense = [
    dict(type='RandomSample', num_points=1024),
    dict(type='Jitter', sigma=0.01, clip=0.05),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
]
sparse = [
    dict(type='RandomSample', num_points=384),
    dict(type='Jitter', sigma=0.02, clip=0.05),
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate'),
]
train_pipeline = [
    dict(type='PickViews', num_views=1),
    dict(type='MultiView', pipelines=[dense, sparse]),
    dict(type='PackInputs', image_views=1, image_size=64),
]
train_dataloader = dict(dataset=dict(size=20000, pipeline=train_pipeline))
model = dict(
    encoder=dict(dim=dim, num_heads=8, patch_widths=(64, 128, 256)),
    decoder=dict(dim=dim, num_heads=8),
    heads=dict(tlr=dict(dim=dim), plr=dict(dim=dim), mcl=dict(dim=dim)),
    views=dict(other=dict(source='points_view2', mask='own')),
    # Below 1 the tokens are hardly learned beside the points, with which they share the decoder.
    balancer=dict(weights=dict(tlr=1.0)),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=200),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=200, end=max_iters, eta_min=1e-5),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=1000))
