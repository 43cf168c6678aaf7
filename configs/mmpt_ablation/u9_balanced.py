# U9: weights that equalise the gradients of the tasks at the tokens.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt_ablation/u9_balanced.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(balancer=dict(_delete_=True, type='GradientNormBalancer'))
