"""A small pre-training with a joint space of shapes and pictures, as the text of a config."""

ENCODER = {'type': 'PointTransformer', 'num_groups': 16, 'group_size': 8, 'dim': 16, 'depth': 1, 'num_heads': 2}
ENCODER |= {'patch_widths': [8, 16, 16]}
MODEL = f"""
model = dict(
    type='MultiTaskPretrainer',
    encoder={ENCODER},
    image_encoder=dict(type='TimmImageEncoder', model_name='test_resnet', pretrained=False),
    views=dict(full=dict(source='points')),
    heads=dict(
        mcl=dict(
            type='MultiModalContrastHead', dim=16, image_dim=96, views=('full',), pooling=('max', 'mean'),
            hidden_dim=16, out_dim=8,
        ),
    ),
)
"""
