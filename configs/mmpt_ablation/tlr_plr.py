# Both reconstructions, no contrast.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt_ablation/tlr_plr.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(heads=dict(mcl=None))
