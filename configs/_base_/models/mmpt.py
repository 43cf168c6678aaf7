# MMPT (arXiv 2507.17533) as METHODS 1.3 and its unknowns' defaults have it: 64 patches of 32 points, a 384-wide
# transformer of 12 blocks, a discrete-VAE tokenizer of 8192 ids, a ResNet-50 for images, three tasks.
# The switches for what the paper leaves open stand beside the values (U1 to U9 of METHODS 1.2).
dim = 384
num_groups = 64
group_size = 32
num_ids = 8192
drop_path = 0.1

encoder = dict(
    type='PointTransformer',
    in_channels=3,
    num_groups=num_groups,
    group_size=group_size,
    dim=dim,
    depth=12,
    num_heads=6,
    drop_path=drop_path,
    cls_token=True,
    mask_token=False,  # U2: True and decoder=None put mask tokens inside the encoder (Point-BERT)
)
# U1: TokenRegressionHead regresses to the tokenizer's continuous features instead
tokenizer = dict(
    type='DiscreteVAE',
    num_ids=num_ids,
    group_size=group_size,
    checkpoint='work_dirs/mmpt/tokenizer_shapenet/iter_196650.pth',
    made_by='configs/mmpt/tokenizer_shapenet.py',
)
model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    encoder=encoder,
    tokenizer=tokenizer,
    masking=dict(type='RandomMasking', ratio=0.6),  # U3: or BlockMasking(ratio=(0.25, 0.45))
    decoder=dict(type='MaskedDecoder', dim=dim, depth=4, num_heads=6, drop_path=drop_path),
    image_encoder=dict(type='TimmImageEncoder', model_name='resnet50', pretrained=False, frozen=False),  # U7
    views=dict(
        masked=dict(source='points', mask='hidden'),
        full=dict(source='points'),
        reconstructed=dict(source='reconstruction'),
    ),
    # sampling='fps', copies=False (predicted points alone) and stop_gradient=False (U5) are the other choices
    reconstruction=dict(sampling='random', copies=True, stop_gradient=True),
    heads=dict(
        tlr=dict(type='TokenReconstructionHead', dim=dim, num_ids=num_ids),
        plr=dict(
            type='PointReconstructionHead',
            dim=dim,
            group_size=group_size,
            loss=dict(type='ChamferLoss', norm='l2'),  # U4
        ),
        mcl=dict(
            type='MultiModalContrastHead',  # U8: MomentumContrastHead contrasts against a queue
            dim=dim,
            image_dim=2048,
            views=('full', 'reconstructed'),  # ('masked', 'reconstructed') saves the pass over the whole cloud
            pooling=('cls', 'max'),  # U6
            out_dim=256,
            loss=dict(type='NTXentLoss', temperature=0.1),
        ),
    ),
    # U9: 'sibling' is (1, 1, 0.1), 'equal' is (1, 1, 1); GradientNormBalancer is the `balanced` preset
    # U11: start=dict(mcl=20000) adds a task later
    balancer=dict(type='FixedBalancer', weights='sibling', interval=50),
)
