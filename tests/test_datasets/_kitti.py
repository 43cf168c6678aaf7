"""KITTI in its released layout: a camera with an answer known by hand."""

import cv2
import numpy as np

# The camera looks along the LiDAR's x, 0.5 m ahead of it and 0.2 m below; P2 shifts by 0.1 m to the side and has the
# small third entry that KITTI's has. The rectification turns about the optical axis by 90 degrees, to be seen easily.
P2 = [[100, 0, 80, 10], [0, 100, 30, 0], [0, 0, 1, 0.01]]
RECTIFY = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
VELO_TO_CAM = [[0, -1, 0, 0], [0, 0, -1, -0.2], [1, 0, 0, -0.5]]
POINT = (10.5, -2.0, 1.0)
LABELS = """Car 0.00 0 -1.57 10.00 10.00 20.00 20.00 1.50 1.60 4.00 {x} {y} {z} 0.30
DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10
Cyclist 0.00 3 -1.65 676.60 163.95 688.98 193.93 1.86 0.60 2.02 4.59 1.32 45.84 -1.55
"""


def numbers(matrix):
    return ' '.join(f'{value:.12e}' for value in np.ravel(matrix))


def write_frame(folder, frame, labels=True, more_points=0):
    for name in ('velodyne', 'image_2', 'calib', *(['label_2'] if labels else [])):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = np.array([[*POINT, 0.25], [-5, 0, 0, 0.99]], '<f4')
    rng = np.random.default_rng(int(frame) + labels)
    rows = np.concatenate([rows, rng.uniform((1, -30, -2, 0), (60, 30, 0, 1), (more_points, 4)).astype('<f4')])
    (folder / 'velodyne' / f'{frame}.bin').write_bytes(rows.tobytes())
    cv2.imwrite(str(folder / 'image_2' / f'{frame}.png'), np.full((60, 160, 3), (10, 20, 200), np.uint8))
    lines = [f'P{k}: {numbers(np.array(P2) + (k != 2))}' for k in range(4)]
    lines += [f'R0_rect: {numbers(RECTIFY)}', f'Tr_velo_to_cam: {numbers(VELO_TO_CAM)}']
    lines += [f'Tr_imu_to_velo: {numbers(np.eye(4)[:3])}', '']
    (folder / 'calib' / f'{frame}.txt').write_text('\n'.join(lines))
    if labels:
        # A car whose middle is at the point: in the camera's frame, y down, the label names the middle of its floor.
        x, y, z = np.array(RECTIFY) @ (np.array(VELO_TO_CAM) @ (*POINT, 1))
        (folder / 'label_2' / f'{frame}.txt').write_text(LABELS.format(x=x, y=y + 0.75, z=z))


def write_kitti(folder, more_points=0):
    """Three frames with labels and one without: two points that the tests know, others in front of the car."""
    root = folder / 'kitti'
    for frame in ('000000', '000007', '000003'):
        write_frame(root / 'training', frame, more_points=more_points)
    write_frame(root / 'testing', '000000', labels=False, more_points=more_points)
    (root / 'ImageSets').mkdir()
    (root / 'ImageSets' / 'train.txt').write_text('000007\n000000\n')
    (root / 'ImageSets' / 'val.txt').write_text('000003\n')
    return root
