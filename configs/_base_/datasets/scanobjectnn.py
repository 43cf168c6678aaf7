# ScanObjectNN, by default its hardest variant: training part, and both parts in one val loop for probing.
# Expects data/ScanObjectNN; docs/datasets/scanobjectnn.md names the files in it.
# The generated twin, without a download, is categories_val.py beside this file.
# 2,048 points, neither centred nor scaled, as Point-MAE and its successors (Point-BERT: 1,024). They differ in the
# augmentation of a fine-tuning, by several points of accuracy: ScaleAndTranslate (Point-BERT, Point-MAE) or RotateUp
# (ACT, ReCon, PCP-MAE); do not compare across it. Choose obj_bg or obj_only by `variant`.
_base_ = '../loaders.py'

num_points = 2048

train_pipeline = [
    dict(type='RandomSample', num_points=num_points),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
val_pipeline = [
    dict(type='FirstPoints', num_points=num_points),
    dict(type='PackInputs'),
]
scanobjectnn = dict(type='ScanObjectNN', data_root='data/ScanObjectNN', variant='pb_t50_rs')
train_dataloader = dict(
    dataset=dict(split='train', pipeline=train_pipeline, **scanobjectnn),
)
val_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(split='train', pipeline=val_pipeline, **scanobjectnn),
            dict(split='test', pipeline=val_pipeline, **scanobjectnn),
        ],
    ),
)
