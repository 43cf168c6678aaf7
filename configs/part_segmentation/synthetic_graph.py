# Part segmentation of generated objects with Point-BERT's head: the twin of shapenet_part_graph.py, no download.
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured here yet.
# Without model.checkpoint the encoder starts at random: the control.
#
#   python tools/train.py configs/part_segmentation/synthetic_graph.py --amp --cfg-options model.checkpoint=FILE
_base_ = './synthetic.py'

model = dict(task_encoder=dict(cls_token=True), head=dict(_delete_=True, type='GraphSegmentationHead'))
optim_wrapper = dict(optimizer=dict(lr=5e-4), clip_grad=None)
# The share of a batch in the statistics of the batch norms halves in 20 epochs of 875 updates, for 20 log2(10) = 66.4.
momentum = dict(kind='exponential', start=0.1, end=0.01, iters=58130)
custom_hooks = [dict(type='ValueScheduleHook', schedules=dict(norm_momentum=momentum)), dict(type='PartPictures')]
