# AdamW 5e-4, weight decay 0.1, 1,080 epochs of the 1,201 scenes of ScanNet in batches of 8 are 162,135 updates, 9
# epochs of them warm-up from 1e-6, cosine to 1e-6, gradients clipped at 0.1: 3DETR's (facebookresearch/3detr, options
# in main.py and scripts/scannet_ep1080.sh). Ours: updates in place of epochs, no weight decay on biases and norms.
# The val scenes are scored on the way, and select nothing: the last checkpoint counts.
max_iters = 162135
warmup_iters = 1351
lr = 5e-4

optim_wrapper = dict(
    type='GuardedOptimWrapper',
    constructor='ParamGroupConstructor',
    optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.999), weight_decay=0.1),
    clip_grad=dict(max_norm=0.1),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-6),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=32427)
val_cfg = dict(type='ValLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
custom_hooks = [dict(type='DetectionPictures')]
