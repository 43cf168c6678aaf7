# ShapeNet-55 clouds with ReCon's one picture and caption each, for pre-training; scored on generated categories.
# Expects data/ShapeNet55-34 with shapenet_img; mmpt/datasets/shapenet_recon.py names the files in it.
# The generated twin, without a download, is synthetic.py beside this file.
_base_ = './shapenet.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ShapeNetReCon',
        data_root='data/ShapeNet55-34',
        split='train',
        pipeline=_base_.train_pipeline,
    ),
)
