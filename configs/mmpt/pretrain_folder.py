# The small MMPT on a folder of your own shapes with rendered pictures: docs/tutorials/own_shapes.md goes through it.
#
# Hardware and time: 2 CPU cores; about a second an iteration on one of them, 600 iterations.
# Figure to expect: depends on your shapes; on the example 1.000 (kNN), which untrained encoders reach to 0.994 as well.
# Data: data/own_shapes, data/own_images (docs/datasets/folder.md). Without them: quickstart_pretrain.py.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt/pretrain_folder.py
_base_ = [
    '../_base_/models/mmpt_small.py',
    '../_base_/datasets/folder.py',
    '../_base_/schedules/laptop_pretrain.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=300, max_keep_ckpts=1), logger=dict(interval=25))
