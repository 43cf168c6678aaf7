# Part segmentation of Point-MAE (arXiv 2203.06604) as METHODS 5.5 has it: 128 patches of 32 points, no class token, the
# tokens of blocks 4, 8 and 12 carried to all points, the class of the shape given. A child adds `parts`.
model = dict(
    type='PartSegmentor',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    # Without a checkpoint this is the encoder, at random: the control. With one the checkpoint says what it is.
    encoder=dict(
        type='PointTransformer',
        in_channels=3,
        dim=384,
        depth=12,
        num_heads=6,
        cls_token=False,
    ),
    checkpoint=None,
    task_encoder=dict(num_groups=128, group_size=32, drop_path=0.1),
    levels=3,
    head=dict(category_dim=64, point_dims=(1536, 1024), dims=(512, 256), dropout=0.5),
)
