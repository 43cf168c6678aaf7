# ReCon with teachers that need no download and know nothing: an image model of random weights, and a random vector for
# every text. They exercise the method; what they teach is the look of a picture, and nothing of language.
_base_ = './recon.py'

model = dict(
    necks=dict(
        image_teacher=dict(
            _delete_=True,
            type='TimmTeacher',
            model_name='test_vit',
            pretrained=False,
            img_size=64,
            cache_dir='data/teacher_features',
        ),
        text_teacher=dict(_delete_=True, type='HashedTextTeacher', dim=64),
    ),
    heads=dict(img=dict(target_dim=64), text=dict(target_dim=64)),
)
