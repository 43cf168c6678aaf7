# Cross-BERT small enough for a laptop, on the data, the budget and the val protocol of the quick start.
#
# Hardware and time: 2 CPU cores; tools/benchmarks/family.py gives every method the same minutes.
# Figure to expect: the table in docs/family.md, made by that command.
# First: python tools/train.py configs/mmpt/quickstart_tokenizer.py
#
#   python tools/train.py configs/cross_bert/laptop_synthetic.py
_base_ = [
    '../_base_/models/cross_bert.py',
    '../_base_/models/quickstart_tokenizer.py',
    '../_base_/datasets/quickstart.py',
    '../_base_/schedules/laptop_pretrain.py',
    '../_base_/default_runtime.py',
]
dim = 128
model = dict(
    encoder=dict(
        num_groups=32,
        dim=dim,
        depth=4,
        num_heads=4,
        drop_path=0.0,
        patch_widths=(32, 64, 128),
        init='default',
    ),
    tokenizer=_base_.quickstart_tokenizer,
    image_encoder=dict(
        model_name='vit_tiny_patch16_224', img_size=64, patch_size=8, embed_dim=dim, depth=3, num_heads=4
    ),
    necks=dict(fusion=dict(dim=dim, image_dim=dim, depth=2, num_heads=4, drop_path=0.0)),
    heads=dict(
        mcm=dict(dim=dim, num_ids=512),
        pia=dict(dim=dim, image_dim=dim, hidden_dim=256, out_dim=128),
    ),
)
custom_hooks = [dict(type='EncoderEMAHook', momentum=0.99)]
default_hooks = dict(checkpoint=dict(interval=300, max_keep_ckpts=1), logger=dict(interval=25))
