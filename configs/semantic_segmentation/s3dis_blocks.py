# Semantic segmentation of S3DIS, scored on sampled blocks of Area 5 as ACT and PCP-MAE do: for comparison with them.
#
# Reproduces: the score of arXiv 2212.08320 and its successors: blocks around drawn points, 2,048 points of each, rooms
# by their size. It leaves out most points of a room, and prefers crowded places: quote s3dis.py beside it.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: none yet here. Published: ACT 61.2, PCP-MAE 61.3 mIoU (docs/tasks/semantic_segmentation.md).
# Data: docs/datasets/s3dis.md. Without it: synthetic.py.
# A checkpoint that s3dis.py trained is scored by it too: the training is the same.
#
#   python tools/train.py configs/semantic_segmentation/s3dis_blocks.py --amp --cfg-options model.checkpoint=FILE
_base_ = './s3dis.py'

model = dict(whole_room=None)
# Drawn by seed and index, so a checkpoint scores the same every time.
val_pipeline = [
    dict(type='CropBlock', size=1.0, num_points=2048, min_points=1024),
    dict(type='PackInputs'),
]
val_dataloader = dict(batch_size=32, dataset=dict(points_per_sample=2048, pipeline=val_pipeline))
