# Point-M2AE (arXiv 2205.14401) as METHODS 2.4 has it: patches of patches on three scales, 80 % of the coarsest hidden
# and carried to the finer ones, two scales of decoder, Chamfer l2 on the hidden patches of the middle scale.
dims = (96, 192, 384)

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    encoder=dict(
        type='HierarchicalPointTransformer',
        in_channels=3,
        scales=[
            dict(num_groups=512, group_size=16, dim=dims[0], depth=5),
            dict(num_groups=256, group_size=8, dim=dims[1], depth=5),
            dict(num_groups=64, group_size=8, dim=dims[2], depth=5),
        ],
        num_heads=6,
        drop_path=0.1,
        local_radius=None,  # (0.32, 0.64, 1.28) when it is fine-tuned
        levels=[1],  # what the decoder reads beside the coarsest
        strays=False,  # True when it is fine-tuned
    ),
    masking=dict(type='RandomMasking', ratio=0.8),
    decoder=dict(
        type='HierarchicalDecoder',
        scales=[dict(dim=dims[2], depth=1), dict(dim=dims[1], depth=1)],
        num_heads=6,
        drop_path=0.1,
        up_blocks=1,
    ),
    heads=dict(
        plr=dict(
            type='PointReconstructionHead',
            dim=dims[1],
            scale=1,  # the middle one, whose patches hold 8 centres
            group_size=16,  # as released: sized by the finest scale's patches; 8 predicts as many as there are
            loss=dict(type='ChamferLoss', norm='l2'),
        ),
    ),
    balancer=dict(type='FixedBalancer', weights='equal', interval=50),
)
