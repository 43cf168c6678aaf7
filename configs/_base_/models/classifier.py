# Fine-tuning for classification as METHODS 5.1 has it for Point-MAE (arXiv 2203.06604): class token and maximum over
# patches, a perceptron of three layers. The checkpoint says how large the encoder is; without one it is the one below,
# 384 wide with 12 blocks, at random: the control from scratch.
model = dict(
    type='PointClassifier',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    encoder=dict(
        type='PointTransformer',
        in_channels=3,
        num_groups=64,
        group_size=32,
        dim=384,
        depth=12,
        num_heads=6,
        drop_path=0.1,
    ),
    checkpoint=None,
    # A class token is added where the pre-training had none (METHODS 11, trap 10); nothing is hidden any more.
    task_encoder=dict(cls_token=True, mask_token=False),
    num_classes=40,
    pooling=('cls', 'max'),
    hidden_dim=256,
    hidden_layers=2,
    dropout=0.5,
)
