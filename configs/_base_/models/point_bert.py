# Point-BERT (arXiv 2111.14819) as METHODS 2.1 has it: 64 patches of 32 points; a block of 25 to 45 % of them becomes
# mask tokens inside a 384-wide transformer of 12 blocks, which names the hidden patches in the tokenizer's 8192 ids;
# the same on mixtures of two clouds, which are also told apart by contrast with a momentum encoder and a queue.
dim = 384
num_ids = 8192

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    encoder=dict(
        type='PointTransformer',
        in_channels=3,
        num_groups=64,
        group_size=32,
        dim=dim,
        depth=12,
        num_heads=6,
        drop_path=0.1,
        cls_token=True,
        mask_token=True,
        patch_dim=256,  # the tokenizer's mini-PointNet, then a linear layer
    ),
    tokenizer=dict(
        type='DiscreteVAE',
        num_ids=num_ids,
        group_size=32,
        checkpoint='work_dirs/mmpt/tokenizer_shapenet/iter_196650.pth',
        made_by='configs/mmpt/tokenizer_shapenet.py',
    ),
    init_from_tokenizer=True,
    masking=dict(type='BlockMasking', ratio=(0.25, 0.45), per_sample=True),
    momentum_encoder=dict(momentum=0.999),
    views=dict(
        masked=dict(source='points', mask='hidden'),
        mixed=dict(source='mixed', mask='own'),
        key=dict(source='points', mask='own', encoder='momentum'),
    ),
    heads=dict(
        tlr=dict(
            type='TokenReconstructionHead', dim=dim, num_ids=num_ids, views=('masked', 'mixed'), init='trunc_normal'
        ),
        moco=dict(
            type='MomentumContrastHead',
            dim=dim,
            query=None,  # 'masked' adds the contrast of the plain view, which the released config leaves off
            key='key',
            mixed='mixed',
            hidden_dim=512,
            out_dim=512,
            queue_size=16384,  # a multiple of the batch of all processes
            momentum=0.999,
            norm=False,
            activation='gelu',
            init='trunc_normal',
            loss=dict(type='QueueInfoNCELoss', temperature=0.07),
            mixed_loss=dict(type='CutMixInfoNCELoss', temperature=0.07),
        ),
    ),
    balancer=dict(type='FixedBalancer', weights='equal', interval=50),
)
