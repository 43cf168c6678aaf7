# Point-MAE (arXiv 2203.06604) as METHODS 2.2 has it: 64 patches of 32 points, 60 % hidden, a 384-wide transformer of 12
# blocks that sees the others, a decoder of 4 blocks, Chamfer l2 on the hidden patches.
dim = 384
group_size = 32

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    encoder=dict(
        type='PointTransformer',
        in_channels=3,
        num_groups=64,
        group_size=group_size,
        dim=dim,
        depth=12,
        num_heads=6,
        drop_path=0.1,
        cls_token=False,  # Point-MAE adds one when it fine-tunes
    ),
    masking=dict(type='RandomMasking', ratio=0.6),  # BlockMasking(ratio=0.6) is the other one of the paper
    decoder=dict(type='MaskedDecoder', dim=dim, depth=4, num_heads=6, drop_path=0.1),
    heads=dict(
        plr=dict(
            type='PointReconstructionHead',
            dim=dim,
            group_size=group_size,
            loss=dict(type='ChamferLoss', norm='l2'),
        ),
    ),
    balancer=dict(type='FixedBalancer', weights='equal', interval=50),
)
