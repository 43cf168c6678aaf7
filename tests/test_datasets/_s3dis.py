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


def write_s3dis_release(folder, points=4000):
    """Stanford3dDataset_v1.2_Aligned_Version: a room of 1.5 m in each area, its objects as text; returns its root."""
    root, rng = folder / 'Stanford3dDataset_v1.2_Aligned_Version', np.random.default_rng(0)
    for area in range(1, 7):
        place = root / f'Area_{area}' / 'office_1' / 'Annotations'
        place.mkdir(parents=True)
        rooms = []
        for name in ('chair_1', 'floor_1', 'wall_1', 'ceiling_1'):
            table = np.column_stack([rng.random((points // 4, 3)) * 1.5, rng.integers(0, 256, (points // 4, 3))])
            rooms.append(''.join('{:.3f} {:.3f} {:.3f} {:.0f} {:.0f} {:.0f}\n'.format(*row) for row in table))
            (place / f'{name}.txt').write_text(rooms[-1])
        (place.parent / 'office_1.txt').write_text(''.join(rooms))
    return root
