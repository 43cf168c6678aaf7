# Semantic segmentation as ACT and PCP-MAE train it (METHODS 5.6): Point-MAE's head for parts without a class of the
# shape, 128 patches of 32 of the 2,048 points of a block. Predicted are whole rooms. A child adds `num_classes`.
model = dict(
    type='SemanticSegmentor',
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
    head=dict(point_dims=(1536, 1024), dims=(512, 256), dropout=0.5),
    whole_room=dict(size=1.0, stride=0.5, num_points=2048),
)
