# Cross-BERT (arXiv 2312.04891) as METHODS 9.5 designs it from the abstract: a point transformer with mask tokens, a
# vision transformer, a fusion of both that names the hidden patches in a tokenizer's ids; cloud, picture and fusion are
# aligned.
dim = 384
num_ids = 8192
image_dim = 384

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
    ),
    tokenizer=dict(
        type='DiscreteVAE',
        num_ids=num_ids,
        group_size=32,
        checkpoint='work_dirs/mmpt/tokenizer_shapenet/iter_196650.pth',
        made_by='configs/mmpt/tokenizer_shapenet.py',
    ),
    masking=dict(type='BlockMasking', ratio=(0.25, 0.45), per_sample=True),
    image_encoder=dict(type='TimmImageEncoder', model_name='vit_small_patch16_224', pretrained=False),
    views=dict(masked=dict(source='points', mask='hidden')),
    necks=dict(
        fusion=dict(
            type='CrossModalFusion',
            dim=dim,
            image_dim=image_dim,
            depth=3,
            num_heads=6,
            drop_path=0.1,
            view='masked',
            name='fused',
        ),
    ),
    heads=dict(
        mcm=dict(type='TokenReconstructionHead', dim=dim, num_ids=num_ids, views=('fused',), mask_of='masked'),
        pia=dict(
            type='AlignHead',
            dim=dim,
            image_dim=image_dim,
            points='masked',  # a view without a mask costs one more pass
            fused='fused',
            pooling=('cls',),
            pairs=(('points', 'image'), ('points', 'fused'), ('image', 'fused')),
            hidden_dim=512,
            out_dim=256,
            loss=dict(type='InfoNCELoss', temperature=0.07),
        ),
    ),
    balancer=dict(type='FixedBalancer', weights='equal', interval=50),
)
