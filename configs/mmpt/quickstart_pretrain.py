# MMPT small enough for a laptop: three tasks on generated shapes with rendered images, 32 patches of 32 points, a
# transformer of 4 blocks. Both views of the contrast are halves of the patches: the visible ones and the hidden ones.
#
# Hardware and time: 2 CPU cores, five and a half minutes without AVX-512.
# Figure to expect: see the table in README; `tools/quickstart.sh` makes it.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt/quickstart_pretrain.py
_base_ = [
    '../_base_/models/mmpt_small.py',
    '../_base_/datasets/quickstart.py',
    '../_base_/schedules/quickstart_pretrain.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=150, max_keep_ckpts=1), logger=dict(interval=25))
