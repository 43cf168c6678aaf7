"""Trees in the released layouts and at the size of the real files; the numbers in them are made up.

A writer takes the root, which must not exist, and how many shapes or scenes of the training part to write, and returns
the arguments of the data set that reads them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ['BY_DATA_SET', 'TREES']

#: 215 million points in 272 rooms.
ROOM_POINTS = 790_000


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


def write_scanobjectnn(root: Path, shapes: int) -> dict[str, Any]:
    """The hardest variant, 2,048 points of every shape."""
    import h5py

    rng = np.random.default_rng(0)
    (root / 'main_split').mkdir(parents=True)
    with h5py.File(root / 'main_split' / 'training_objectdataset_augmentedrot_scale75.h5', 'w') as file:
        file['data'] = rng.uniform(-1, 1, (shapes, 2048, 3)).astype(np.float32)
        file['label'] = np.arange(shapes) % 15
    return {'data_root': str(root)}


def write_shapenet_part(root: Path, shapes: int) -> dict[str, Any]:
    """Text files of 2,600 rows x, y, z, nx, ny, nz, part; the val part has one shape."""
    from mmpt.datasets.shapenet_part import PART_CLASSES, PART_RANGES

    rng = np.random.default_rng(0)
    (root / 'train_test_split').mkdir(parents=True)
    lines = ''.join(f'{name.capitalize()}\t{synset}\n' for synset, name, _ in PART_CLASSES)
    (root / 'synsetoffset2category.txt').write_text(lines)
    entries = [f'{PART_CLASSES[k % 16][0]}/{k:032x}' for k in range(shapes + 1)]
    for split, part in (('train', entries[:-1]), ('val', entries[-1:])):
        names = json.dumps([f'shape_data/{entry}' for entry in part])
        (root / 'train_test_split' / f'shuffled_{split}_file_list.json').write_text(names)
    for k, entry in enumerate(entries):
        rows = np.column_stack([rng.uniform(-1, 1, (2600, 6)), rng.integers(*PART_RANGES[k % 16], 2600)])
        (root / entry).parent.mkdir(exist_ok=True)
        np.savetxt(root / f'{entry}.txt', rows, fmt='%.6f')
    return {'data_root': str(root)}


def write_pcn(root: Path, shapes: int) -> dict[str, Any]:
    """Eight scans of 2,048 points of a whole of 16,384."""
    from mmpt.datasets.pcn import PCN_SYNSETS

    rng = np.random.default_rng(0)
    classes = [{'taxonomy_id': synset, 'train': [], 'val': [], 'test': []} for synset in PCN_SYNSETS]
    for k in range(shapes):
        entry, name = classes[k % len(classes)], f'{k:032x}'
        entry['train'].append(name)
        whole = rng.uniform(-0.5, 0.5, (16384, 3)).astype(np.float32)
        write_pcd(root / 'train' / 'complete' / entry['taxonomy_id'] / f'{name}.pcd', whole)
        for view in range(8):
            scan = whole[2048 * view : 2048 * (view + 1)]
            write_pcd(root / 'train' / 'partial' / entry['taxonomy_id'] / name / f'{view:02d}.pcd', scan)
    (root / 'PCN.json').write_text(json.dumps(classes))
    return {'data_root': str(root)}


def write_pcd(path: Path, points: np.ndarray) -> None:
    """Points (N, 3) as the release stores them."""
    head = (
        '# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n'
    )
    head += f'WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA binary\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head.encode() + points.astype('<f4').tobytes())


def write_s3dis(root: Path, rooms: int) -> dict[str, Any]:
    """Rooms of 6 m x 6 m x 3 m in the five training areas, with the mean number of points of the release."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    for k in range(max(rooms, 5)):
        rows = rng.uniform((0, 0, 0, 0, 0, 0, 0), (6, 6, 3, 255, 255, 255, 13), (ROOM_POINTS, 7)).astype(np.float32)
        rows[:, 3:] = np.floor(rows[:, 3:]).clip(max=(255, 255, 255, 12))
        np.save(root / f'Area_{(1, 2, 3, 4, 6)[k % 5]}_office_{k // 5 + 1}.npy', rows)
    return {'data_root': str(root)}


def write_scannet(root: Path, scenes: int) -> dict[str, Any]:
    """Scenes of 150,000 vertices with 15 boxes."""
    rng = np.random.default_rng(0)
    (root / 'scenes').mkdir(parents=True)
    names = [f'scene{k:04d}_00' for k in range(scenes)]
    (root / 'scannetv2_train.txt').write_text('\n'.join(names) + '\n')
    for name in names:
        normals = rng.standard_normal((150_000, 3)).astype(np.float32)
        np.savez(
            root / 'scenes' / f'{name}.npz',
            points=rng.uniform((0, 0, 0), (6, 6, 3), (150_000, 3)).astype(np.float32),
            colors=rng.integers(0, 256, (150_000, 3), dtype=np.uint8),
            normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
            axis_align=np.eye(4),
            semantic=rng.integers(0, 41, 150_000),
            instance=rng.integers(-1, 30, 150_000),
            boxes=rng.uniform((0, 0, 0, 0.3, 0.3, 0.3, 0), (6, 6, 2, 2, 2, 2, 0), (15, 7)).astype(np.float32),
            box_labels=rng.integers(0, 18, 15),
        )
    return {'data_root': str(root)}


def picture(rng: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    """Smooth shades with a little noise, which compress about as photographs do."""
    import cv2

    coarse = rng.integers(0, 256, (8, 8, channels), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(smooth + rng.integers(-2, 3, smooth.shape), 0, 255).astype(np.uint8)


#: name -> (config with the pipeline, writer, shapes by default), for loader.py
TREES = {
    'shapenet': ('configs/_base_/datasets/shapenet.py', write_shapenet, 400),
    'modelnet40': ('configs/_base_/datasets/modelnet40.py', write_modelnet, 200),
    'kitti': ('configs/_base_/datasets/kitti.py', write_kitti, 40),
}
#: class of the data set -> writer
BY_DATA_SET = {
    'ModelNet': write_modelnet,
    'PCN': write_pcn,
    'S3DIS': write_s3dis,
    'ScanNet': write_scannet,
    'ScanObjectNN': write_scanobjectnn,
    'ShapeNetCompletion': write_shapenet,
    'ShapeNetPart': write_shapenet_part,
}
