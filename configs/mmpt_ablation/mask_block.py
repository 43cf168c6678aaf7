# U3: half of the patches hidden as one block around a patch, not at random.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt_ablation/mask_block.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(masking=dict(_delete_=True, type='BlockMasking', ratio=0.5))
