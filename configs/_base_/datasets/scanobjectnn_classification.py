# ScanObjectNN for a classifier: the training part, the test part, and the test part drawn again and again for voting.
# All 2,048 points, neither centred nor scaled, as Point-MAE and its successors (METHODS 5.1). Scale and shift as in
# Point-BERT and Point-MAE. Rotation, as in ACT, ReCon and PCP-MAE, is worth several points of accuracy (METHODS 4.5):
# do not compare across it, and say which. --cfg-options train_dataloader.dataset.pipeline.1.type=RotateUp
# By default the hardest variant, pb_t50_rs; obj_bg and obj_only by `variant`, in all three places.
# Expects data/ScanObjectNN; docs/datasets/scanobjectnn.md names the files in it.
# The generated twin, without a download, is categories_classification.py beside this file.
_base_ = ['./scanobjectnn.py', '../voting.py']

train_pipeline = [
    dict(type='RandomSample', num_points=2048),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
test_part = dict(type='ScanObjectNN', data_root='data/ScanObjectNN', variant='pb_t50_rs', split='test')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=_base_.val_pipeline, **test_part))
test_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline, **test_part)))
