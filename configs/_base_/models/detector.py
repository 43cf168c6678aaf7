# Detection after 3DETR (arXiv 2109.08141) as METHODS 5.7 asks: 256 farthest points of a scene ask its tokens in 8
# blocks of 256 channels and 4 heads, as there. Ours: the encoder with 512 patches of 32 points, and boxes matched as a
# set with the weights of DETR (arXiv 2005.12872); docs/tasks/detection.md has 3DETR's. 4 metres are 1 for the encoder,
# so that most rooms lie in the unit sphere that it learnt in. A child adds `num_classes`.
model = dict(
    type='SetDetector',
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
    task_encoder=dict(num_groups=512, group_size=32, drop_path=0.1),
    num_queries=256,
    yaw_bins=0,
    scale=4.0,
    head=dict(dim=256, depth=8, num_heads=4),
    loss=dict(class_weight=1.0, box_weight=5.0, giou_weight=2.0, yaw_weight=1.0, no_object_weight=0.1),
)
