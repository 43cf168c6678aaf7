# Augmentations of published recipes, as lists to be put into a pipeline; docs/datasets/augmentations.md is the table.
#
#   _base_ = ['../_base_/augmentations.py', ...]
#   train_pipeline = [..., dict(type='UnitSphere'), *_base_.point_mae, dict(type='PackInputs')]

# Point-BERT (arXiv 2111.14819) and Point-MAE (2203.06604): pre-training, every fine-tuning, and the passes of voting.
point_mae = [dict(type='ScaleAndTranslate', scale=(2 / 3, 3 / 2), shift=(-0.2, 0.2))]
# One factor for all axes: part segmentation of Point-MAE, blocks of S3DIS in ACT and PCP-MAE.
part_segmentation = [dict(type='ScaleAndTranslate', scale=(0.8, 1.25), shift=(-0.1, 0.1), isotropic=True)]

# ACT (2212.08320). Its voting uses the list of the pre-training.
act_pretrain = point_mae
act_finetune = [dict(type='RotateUp', max_angle=180.0)]

# ReCon (2302.02318): rotation on ScanObjectNN and few-shot, scale and shift on ModelNet40. Do not compare across these.
recon_pretrain = act_finetune
recon_modelnet = point_mae
recon_scanobjectnn = act_finetune
recon_few_shot = act_finetune

# CrossPoint (2203.00680): both views of a cloud, MultiView(pipelines=[crosspoint_view] * 2), and the picture after
# LoadImages(size=224).
crosspoint_view = [
    dict(type='UnitSphere'),
    dict(type='ScaleAndTranslate', scale=(0.5, 2.0), shift=(0.0, 0.0), isotropic=True),
    dict(type='RotateUp', max_angle=180.0),
    dict(type='TranslateByExtent', ratio=0.5),
    dict(type='Jitter', sigma=0.01, clip=0.05),
    dict(type='PointDropout', max_ratio=0.875),
]
crosspoint_image = [
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4),
    dict(type='RandomFlip', prob=0.5),
]
