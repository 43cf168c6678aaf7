# CrossPoint with PointNet in place of DGCNN, on ShapeNet-55. The encoder is the one that CrossPoint's authors name
# for their PointNet figures (README.md): no input and no feature transform, features by the maximum over points.
#
# Hardware and time: meant for one GPU; not measured yet.
# Figure to expect: not measured yet.
# Data: as for pretrain_shapenet.py. Without it: pretrain_synthetic_pointnet.py.
#
#   python tools/train.py configs/crosspoint/pretrain_shapenet_pointnet.py
_base_ = './pretrain_shapenet.py'

model = dict(
    encoder=dict(
        _delete_=True,
        type='PointNet',
        in_channels=3,
        dim=1024,
        point_widths=(64, 64, 64, 128),
        input_transform=False,
        feature_transform=False,
    ),
    heads=dict(mcl=dict(pooling=('max',))),
)
