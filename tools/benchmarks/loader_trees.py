"""Trees in the released layouts and at the size of the real files, for loader.py; the numbers in them are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ['TREES']


def write_shapenet(root: Path, shapes: int) -> dict[str, Any]:
    """Clouds (8192, 3) and, for every second shape, 24 pictures of 137 x 137 with transparency."""
    import cv2

    rng = np.random.default_rng(0)
    (root / 'ShapeNet-55').mkdir(parents=True)
    (root / 'shapenet_pc').mkdir()
    stems = [f'{("02691156", "03001627")[k % 2]}-{k:032x}' for k in range(shapes)]
    (root / 'ShapeNet-55' / 'train.txt').write_text(''.join(f'{stem}.npy\n' for stem in stems))
    for k, stem in enumerate(stems):
        np.save(root / 'shapenet_pc' / f'{stem}.npy', rng.standard_normal((8192, 3)).astype(np.float32))
        folder = root / 'pictures' / stem.split('-')[0] / stem.split('-')[1] / 'rendering'
        if k % 2 == 0:
            folder.mkdir(parents=True)
        for view in range(24 if k % 2 == 0 else 0):
            cv2.imwrite(str(folder / f'{view:02d}.png'), picture(rng, 137, 137, 4))
    return {'data_root': str(root), 'images_root': str(root / 'pictures')}


def write_modelnet(root: Path, shapes: int) -> dict[str, Any]:
    """Text files of 10,000 rows x, y, z, nx, ny, nz."""
    from mmpt.datasets.modelnet import MODELNET40

    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    (root / 'modelnet40_shape_names.txt').write_text(''.join(f'{name}\n' for name in MODELNET40))
    lines = [f'{MODELNET40[k % 40]}_{k:04d}' for k in range(shapes)]
    (root / 'modelnet40_train.txt').write_text(''.join(f'{line}\n' for line in lines))
    for line in lines:
        folder = root / line.rpartition('_')[0]
        folder.mkdir(exist_ok=True)
        rows = np.char.mod('%.6f', rng.uniform(-1, 1, (10_000, 6)))
        (folder / f'{line}.txt').write_text('\n'.join(map(','.join, rows)) + '\n')
    return {'data_root': str(root)}


def write_kitti(root: Path, shapes: int) -> dict[str, Any]:
    """Sweeps of 120,000 points, a picture of 1242 x 375, calibration and three boxes."""
    import cv2

    rng = np.random.default_rng(0)
    folders = {name: root / 'training' / name for name in ('velodyne', 'image_2', 'calib', 'label_2')}
    for folder in folders.values():
        folder.mkdir(parents=True)
    calibration = 'P2: 721 0 609 44 0 721 172 0 0 0 1 0\nR0_rect: 1 0 0 0 1 0 0 0 1\n'
    calibration += 'Tr_velo_to_cam: 0 -1 0 0 0 0 -1 -0.08 1 0 0 -0.27\n'
    for k in range(shapes):
        sweep = rng.uniform((0, -40, -3, 0), (70, 40, 1, 1), (120_000, 4)).astype(np.float32)
        sweep.tofile(folders['velodyne'] / f'{k:06d}.bin')
        cv2.imwrite(str(folders['image_2'] / f'{k:06d}.png'), picture(rng, 375, 1242, 3))
        (folders['calib'] / f'{k:06d}.txt').write_text(calibration)
        (folders['label_2'] / f'{k:06d}.txt').write_text('Car 0 0 0 0 0 9 9 1.5 1.6 3.9 2 1.5 20 0.1\n' * 3)
    return {'data_root': str(root)}


def picture(rng: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    """Smooth shades with a little noise, which compress about as photographs do."""
    import cv2

    coarse = rng.integers(0, 256, (8, 8, channels), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(smooth + rng.integers(-2, 3, smooth.shape), 0, 255).astype(np.uint8)


#: name -> (config with the pipeline, writer, shapes by default)
TREES = {
    'shapenet': ('configs/_base_/datasets/shapenet.py', write_shapenet, 400),
    'modelnet40': ('configs/_base_/datasets/modelnet40.py', write_modelnet, 200),
    'kitti': ('configs/_base_/datasets/kitti.py', write_kitti, 40),
}
