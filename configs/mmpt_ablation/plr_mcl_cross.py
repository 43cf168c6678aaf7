# Point-level reconstruction and contrast with pictures.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
#
#   python tools/train.py configs/mmpt_ablation/plr_mcl_cross.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(heads=dict(tlr=None, mcl=dict(intra=0.0)))
