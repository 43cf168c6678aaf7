# U5: contrast with the reconstructed cloud, with the gradient through its coordinates into the decoder.
#
# A row of the ablation grid (README.md beside this): the laptop MMPT with what stands below changed.
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every row the same minutes.
# Figure to expect: not measured yet; that command makes the table.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/mmpt_ablation/u5_end_to_end.py
_base_ = '../mmpt/quickstart_pretrain.py'
model = dict(
    reconstruction=dict(stop_gradient=False),
    views=dict(reconstructed=dict(source='reconstruction')),
    heads=dict(mcl=dict(views=('masked', 'reconstructed'))),
)
