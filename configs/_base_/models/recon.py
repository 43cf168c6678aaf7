# ReCon (arXiv 2302.02318; METHODS 2.4): Point-MAE's reconstruction, and two global tokens that predict what frozen
# teachers make of the shape's picture and of its caption; they read the patches without gradient. Weights 1 : 1 : 1.
# The contrast of equal captions, which sees labels, is off in the origin's config and absent here.
dim = 384
group_size = 32
drop_path = 0.1
teacher_features = 'data/teacher_features'  # pictures are not changed at random, so each is looked at once

model = dict(
    type='MultiTaskPretrainer',
    # As the image teacher was trained; nothing else reads the pictures.
    data_preprocessor=dict(type='PointDataPreprocessor', image_mean=(127.5,) * 3, image_std=(127.5,) * 3),
    encoder=dict(
        type='ReConTransformer',
        in_channels=3,
        num_groups=64,
        group_size=group_size,
        dim=dim,
        depth=12,
        num_heads=6,
        drop_path=drop_path,
        global_tokens=('cls', 'img', 'text'),
        detach_local=True,  # False for fine-tuning
    ),
    masking=dict(type='RandomMasking', ratio=0.6),
    decoder=dict(type='MaskedDecoder', dim=dim, depth=4, num_heads=6, drop_path=drop_path),
    views=dict(masked=dict(source='points', mask='hidden')),
    necks=dict(
        # ViT-B/16 of ImageNet-21k, 768 features; timm downloads it once, or checkpoint='model.safetensors'.
        image_teacher=dict(
            type='TimmTeacher', model_name='vit_base_patch16_224.augreg_in21k', cache_dir=teacher_features
        ),
        # OpenAI's CLIP ViT-B/32, 512 features; `pip install open_clip_torch`, which downloads it once.
        text_teacher=dict(
            type='OpenClipTextTeacher',
            model_name='ViT-B-32-quickgelu',
            pretrained='openai',
            prompts=('{}', 'a 3D model of {}', 'a point cloud of {}', 'a rendering of {}', 'a picture of {}'),
            cache_dir=teacher_features,
        ),
    ),
    heads=dict(
        plr=dict(
            type='PointReconstructionHead',
            dim=dim,
            group_size=group_size,
            loss=dict(type='ChamferLoss', norm='l2'),
        ),
        img=dict(type='DistillationHead', dim=dim, target_dim=768, target='teacher/image', token='img'),
        # One caption for each class says what the class is: text=None is the method without labels.
        text=dict(type='DistillationHead', dim=dim, target_dim=512, target='teacher/text', token='text'),
    ),
    balancer=dict(type='FixedBalancer', weights='equal', interval=50),
)
