"""S3DIS in the layout that its converter writes: generated rooms, whose 13 classes stand for those of S3DIS."""

import numpy as np

from mmpt.datasets.synthetic.rooms import make_room

ROOMS = ('Area_1_office_1', 'Area_2_office_1', 'Area_3_WC_1', 'Area_4_hallway_1', 'Area_6_lounge_1')
TEST_ROOMS = ('Area_5_office_1', 'Area_5_hallway_2')


def write_s3dis(folder, points=3200):
    root = folder / 's3dis'
    root.mkdir(parents=True)
    for number, name in enumerate((*ROOMS, *TEST_ROOMS)):
        room = make_room(0, number, points)
        np.save(root / f'{name}.npy', np.column_stack([room.points, room.colors, room.semantic]).astype(np.float32))
    return root
