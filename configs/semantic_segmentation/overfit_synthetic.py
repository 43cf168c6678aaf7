# Semantic segmentation of 16 generated rooms by heart: can the model say what it was shown? Small enough for a laptop.
#
# Hardware and time: one CPU core, 3.5 minutes by the clock (AVX-512, beside other work).
# Figure to expect: semantic/miou 0.909, 0.911, 0.911 (seeds 0, 1, 2), accuracy 0.964 to 0.966; 900 updates gave 0.865.
#
#   OMP_NUM_THREADS=1 python tools/train.py configs/semantic_segmentation/overfit_synthetic.py --device cpu
_base_ = './synthetic.py'

max_iters = 1800
model = dict(
    encoder=dict(dim=64, depth=2, num_heads=4, patch_widths=(16, 32, 64), init='default'),
    task_encoder=dict(num_groups=128, group_size=16, drop_path=0.0),
    head=dict(point_dims=(128, 96), dims=(96, 48), dropout=0.0),
    whole_room=dict(size=6.0, stride=3.0, num_points=2048),
)
rooms = dict(split='train', size=16, num_points=2048)
# All of a room around one of its points; the largest is 6 m long, so that one block holds it when it is scored.
blocks = [dict(type='CropBlock', size=12.0, num_points=2048), dict(type='PackInputs')]
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=blocks, **rooms), **loader)
val_dataloader = dict(dataset=rooms, **loader)
optim_wrapper = dict(optimizer=dict(lr=1e-2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=25),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=25, end=max_iters, eta_min=1e-5),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=max_iters, max_keep_ckpts=1), logger=dict(interval=25))
