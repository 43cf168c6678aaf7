# MMPT at a size that two CPU cores train in minutes; what differs from mmpt.py beside it.
_base_ = ['./mmpt.py', './quickstart_tokenizer.py']

dim = 128
group_size = 32
num_ids = 512

model = dict(
    encoder=dict(
        num_groups=32,
        group_size=group_size,
        dim=dim,
        depth=4,
        num_heads=4,
        drop_path=0.0,
        cls_token=False,
        patch_widths=(32, 64, 128),
        init='default',
    ),
    tokenizer=_base_.quickstart_tokenizer,
    # One half of the patches against the other: no point is seen by both, so nothing can be solved by copying.
    masking=dict(ratio=0.5),
    views=dict(other=dict(source='points', mask='complement')),
    decoder=dict(dim=dim, depth=1, num_heads=4, drop_path=0.0),
    image_encoder=dict(model_name='test_resnet'),
    heads=dict(
        tlr=dict(dim=dim, num_ids=num_ids),
        plr=dict(dim=dim, group_size=group_size),
        mcl=dict(
            dim=dim,
            image_dim=96,
            views=('masked', 'other'),
            pooling=('max', 'mean'),
            hidden_dim=256,
            out_dim=128,
            cross=0.5,
        ),
    ),
    balancer=dict(_delete_=True, type='FixedBalancer', weights=dict(tlr=0.1, plr=1.0, mcl=1.0)),
)
