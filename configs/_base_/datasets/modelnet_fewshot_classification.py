# One published fold of ModelNet40 for a classifier: the examples to train on, the queries to score.
# As Point-BERT and its successors (METHODS 5.1, 5.4): the 1,200 farthest points of the cloud, 1,024 of them at random;
# tested on the 1,024 farthest ones. The rows of the files are in that order, so it costs nothing.
# Expects data/ModelNetFewshot; docs/datasets/modelnet_fewshot.md names the files in it.
# The generated twin, without a download, is few_shot_synthetic.py beside this file.
_base_ = './modelnet_fewshot.py'

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
train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(_delete_=True, split='test', pipeline=test_pipeline, **_base_.fewshot))
