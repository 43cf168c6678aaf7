# ModelNet40 for a classifier: the training part, the test part, and the test part drawn again and again for voting.
# As Point-BERT and its successors (METHODS 5.1): the 1,200 farthest points of the whole cloud, 1,024 of them at random;
# tested on the 1,024 farthest ones. In Point-BERT's .dat files the rows are in that order, so it costs nothing; text
# files cost 1,200 passes over the cloud for every draw (docs/tasks/classification.md).
# Expects data/ModelNet/modelnet40_normal_resampled; docs/datasets/modelnet.md names the files in it.
# The generated twin, without a download, is categories_classification.py beside this file.
_base_ = ['./modelnet40.py', '../voting.py']

num_points = 1024

train_pipeline = [
    dict(type='UnitSphere'),
    dict(type='FarthestPoints', num_points=1200),
    dict(type='RandomSample', num_points=num_points),
    dict(type='ScaleAndTranslate'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='UnitSphere'),
    dict(type='FarthestPoints', num_points=num_points),
    dict(type='PackInputs'),
]
test_part = dict(
    type='ModelNet',
    data_root='data/ModelNet/modelnet40_normal_resampled',
    variant='normal_resampled',
    categories=40,
    split='test',
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **test_part))
test_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline, **test_part)))
