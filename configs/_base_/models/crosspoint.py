# CrossPoint (arXiv 2203.00680) as METHODS 2.3 has it: DGCNN on two augmentations of a cloud in one pass, a ResNet-50 on
# a rendered picture, NT-Xent between the augmentations and between their mean and the picture.
dim = 1024

model = dict(
    type='MultiTaskPretrainer',
    data_preprocessor=dict(type='PointDataPreprocessor'),
    encoder=dict(type='DGCNN', in_channels=3, dim=dim, k=15, edge_widths=(64, 64, 128, 256)),
    image_encoder=dict(type='TimmImageEncoder', model_name='resnet50', pretrained=False, frozen=False),
    views=dict(full=dict(source='points'), augmented=dict(source='points_view2')),
    # Batch norms of the encoder and (joint=True) of the projection count both augmentations together.
    joint_views=[('full', 'augmented')],
    heads=dict(
        mcl=dict(
            type='MultiModalContrastHead',
            dim=dim,
            image_dim=2048,
            views=('full', 'augmented'),
            pooling=('max', 'mean'),
            hidden_dim=1024,
            image_hidden_dim=512,
            out_dim=256,
            joint=True,
            intra=1.0,
            cross=1.0,
            loss=dict(type='NTXentLoss', temperature=0.1),
        ),
    ),
    balancer=dict(type='FixedBalancer', weights='equal', interval=50),
)
