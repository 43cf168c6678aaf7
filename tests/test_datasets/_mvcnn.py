"""ShapeNet55 with MVCNN's renders in its released layout: five shapes, one of them without pictures."""

import cv2
import numpy as np

# Numbers of SHREC16 as they lie in the three parts of MVCNN.
PARTS = {'train': [3, 4004, 12], 'val': [9], 'test': [1]}


def cloud(number, count):
    return np.random.default_rng(number).standard_normal((count, 3)).round(4)


def write_ply(path, points):
    """As open3d writes a cloud: binary, double precision."""
    header = f'ply\nformat binary_little_endian 1.0\ncomment Created by Open3D\nelement vertex {len(points)}\n'
    header += 'property double x\nproperty double y\nproperty double z\nend_header\n'
    path.write_bytes(header.encode() + points.astype('<f8').tobytes())


def write_mvcnn(folder):
    root = folder / 'ShapeNet55'
    for part, numbers in PARTS.items():
        for folder in ('pointclouds', 'pointclouds_p2048', 'shapenet55v1'):
            (root / folder / part).mkdir(parents=True)
        for number in numbers:
            for folder, count in (('pointclouds', 1024), ('pointclouds_p2048', 2048)):
                write_ply(root / folder / part / f'model_{number:06d}.ply', cloud(number, count))
            for view in range(1, 13) if number != 4004 else ():
                picture = np.full((224, 224, 3), 10 * view, np.uint8)
                cv2.imwrite(str(root / 'shapenet55v1' / part / f'model_{number:06d}_{view:03d}.jpg'), picture)
    lines = ['id,synsetId,subSynsetId,modelId', '000003,04379243,04379243,abc', '000012,02691156,02690373,def']
    (root / 'shapenet55v1' / 'train.csv').write_text('\n'.join(lines) + '\n')
    (root / 'shapenet55v1' / 'val.csv').write_text('id,synsetId,subSynsetId,modelId\n9,2691156,2690373,ghi\n')
    return root
