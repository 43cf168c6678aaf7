# ModelNet10, the ten classes of modelnet40.py beside this file that have lists of their own in the same folder.
# Expects data/ModelNet/modelnet40_normal_resampled; docs/datasets/modelnet.md names the files in it.
# The generated twin, without a download, is categories_val.py beside this file.
_base_ = './modelnet40.py'

modelnet = dict(
    type='ModelNet',
    data_root='data/ModelNet/modelnet40_normal_resampled',
    variant='normal_resampled',
    categories=10,
)
train_dataloader = dict(dataset=dict(categories=10))
val_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(split='train', pipeline={{_base_.val_pipeline}}, **modelnet),
            dict(split='test', pipeline={{_base_.val_pipeline}}, **modelnet),
        ],
    ),
)
