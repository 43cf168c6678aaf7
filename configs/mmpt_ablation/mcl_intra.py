# Contrast between two halves of a cloud alone.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
#
#   python tools/train.py configs/mmpt_ablation/mcl_intra.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(heads=dict(tlr=None, plr=None, mcl=dict(cross=0.0)))
custom_hooks = [dict(type='EncoderEMAHook', momentum=0.99)]  # without reconstructions there is nothing to draw
