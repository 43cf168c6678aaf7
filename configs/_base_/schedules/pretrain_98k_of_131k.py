# As pretrain_98k.py, but the cosine is that of 400 epochs, of which 300 are run (METHODS 2.4).
_base_ = './pretrain_98k.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.002, by_epoch=False, begin=0, end=3280),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=3280, end=131100, eta_min=1e-6),
]
# Maximum and mean of the coarsest tokens, summed, as Point-M2AE scores them.
val_evaluator = [dict(type='FeatureProbe', pooling=('max+mean',), standardize=True, svm=dict(C='cv'))]
