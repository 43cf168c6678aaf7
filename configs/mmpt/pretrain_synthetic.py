# MMPT on generated shapes with rendered images: the twin of pretrain_shapenet.py, nothing to download.
#
# Hardware and time: meant for one GPU; not measured yet. quickstart_pretrain.py is the small one for a laptop.
# Figure to expect: not measured here yet.
# First: python tools/train.py configs/mmpt/tokenizer_synthetic.py
#
#   python tools/train.py configs/mmpt/pretrain_synthetic.py --amp
_base_ = [
    '../_base_/models/mmpt.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/pretrain_98k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    tokenizer=dict(
        checkpoint='work_dirs/mmpt/tokenizer_synthetic/iter_196650.pth',
        made_by='configs/mmpt/tokenizer_synthetic.py',
    ),
)
train_dataloader = dict(batch_size=128)
default_hooks = dict(checkpoint=dict(interval=3278, save_best='probe/svm', rule='greater'))
