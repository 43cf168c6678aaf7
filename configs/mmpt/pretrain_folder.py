# The small MMPT on a folder of your own shapes with rendered pictures: docs/tutorials/own_shapes.md goes through it.
#
# Hardware and time: 2 CPU cores, about five minutes.
# Figure to expect: depends on your shapes; the tutorial says what its example gives.
# Data: data/own_shapes, data/own_images (docs/datasets/folder.md). Without them: quickstart_pretrain.py.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt/pretrain_folder.py
_base_ = [
    '../_base_/models/mmpt_small.py',
    '../_base_/datasets/folder.py',
    '../_base_/schedules/quickstart_pretrain.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=300, max_keep_ckpts=1), logger=dict(interval=25))
