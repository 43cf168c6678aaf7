# Completion after PoinTr (arXiv 2108.08839) as METHODS 5.8 has it: 2,048 partial points in 64 patches of 32, coarse
# points by a perceptron of the tokens, 8 blocks that ask the tokens, 64 points folded at each. A child adds
# `num_queries`.
model = dict(
    type='CompletionModel',
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
    task_encoder=dict(num_groups=64, group_size=32, drop_path=0.0),
    head=dict(global_dim=1024, dim=384, depth=8, num_heads=6, fold_side=8, fold_dim=512),
)
