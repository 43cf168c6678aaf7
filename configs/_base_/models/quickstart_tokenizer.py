# The tokenizer of configs/mmpt/quickstart_tokenizer.py: its sizes, and how small configs read its ids afterwards.
#
#   model = dict(tokenizer=_base_.quickstart_tokenizer)
quickstart_tokenizer_sizes = dict(
    num_ids=512,
    posterior='distance',
    patch_widths=(32, 64, 128),
    code_dim=64,
    decoder_dim=128,
    graph_widths=(64, 64, 64, 64, 64),
    fold_widths=(256, 128),
    decoder_k=8,
    decoder_offsets=True,
    decoder_skip=True,
)
quickstart_tokenizer = dict(
    group_size=32,
    checkpoint='work_dirs/mmpt/quickstart_tokenizer/iter_800.pth',
    made_by='configs/mmpt/quickstart_tokenizer.py',
    **quickstart_tokenizer_sizes,
)
