# Part segmentation of ShapeNetPart with Point-BERT's head, which goes up to the points by graphs of ever more centres.
#
# Reproduces: the part segmentation of arXiv 2111.14819; docs/tasks/part_segmentation.md names what differs.
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: none yet here.
# Data: docs/datasets/shapenet_part.md. Without it: synthetic_graph.py.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/part_segmentation/shapenet_part_graph.py --amp --cfg-options model.checkpoint=FILE
_base_ = './shapenet_part.py'

model = dict(task_encoder=dict(cls_token=True), head=dict(_delete_=True, type='GraphSegmentationHead'))
optim_wrapper = dict(optimizer=dict(lr=5e-4), clip_grad=None)
# The share of a batch in the statistics of the batch norms halves in 20 epochs of 875 updates, for 20 log2(10) = 66.4.
momentum = dict(kind='exponential', start=0.1, end=0.01, iters=58130)
custom_hooks = [dict(type='ValueScheduleHook', schedules=dict(norm_momentum=momentum)), dict(type='PartPictures')]
