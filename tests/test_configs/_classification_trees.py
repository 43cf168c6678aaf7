"""ModelNet40 and ScanObjectNN in exactly the layouts of their releases, with a few shapes of three classes."""

import pickle

import h5py
import numpy as np

from mmpt.datasets.modelnet import MODELNET40

_CLASSES = ('airplane', 'chair', 'night_stand')


def write_modelnet40(folder, points=200, names=MODELNET40):
    """Text files: 12 training and 6 test shapes of 200 points with normals (10,000 in the release).

    With ten ``names``, the lists of ModelNet10, which lie in the same folder.
    """
    root, rng = folder / 'ModelNet' / 'modelnet40_normal_resampled', np.random.default_rng(0)
    root.mkdir(parents=True)
    prefix = f'modelnet{len(names)}'
    (root / f'{prefix}_shape_names.txt').write_text(''.join(f'{name}\n' for name in names))
    for split, numbers in (('train', range(1, 5)), ('test', range(5, 7))):
        stems = [f'{name}_{number:04d}' for name in _CLASSES if name in names for number in numbers]
        (root / f'{prefix}_{split}.txt').write_text(''.join(f'{stem}\n' for stem in stems))
        for stem in stems:
            place = root / stem.rpartition('_')[0]
            place.mkdir(exist_ok=True)
            table = rng.standard_normal((points, 6))
            table[:, 3:] /= np.linalg.norm(table[:, 3:], axis=1, keepdims=True)
            np.savetxt(place / f'{stem}.txt', table, fmt='%.6f', delimiter=',')


def write_modelnet40_h5(folder):
    """The h5 files: five training shapes in two files and two of test, in the unit sphere."""
    root, rng = folder / 'modelnet40_ply_hdf5_2048', np.random.default_rng(0)
    root.mkdir(parents=True)
    for name, count in (('train0', 3), ('train1', 2), ('test0', 2)):
        points = rng.standard_normal((count, 2048, 3))
        points -= points.mean(axis=1, keepdims=True)
        points /= np.linalg.norm(points, axis=2).max(axis=1)[:, None, None]
        with h5py.File(root / f'ply_data_{name}.h5', 'w') as file:
            file['data'], file['label'] = points.astype(np.float32), np.arange(count, dtype=np.uint8)[:, None]


def write_modelnet_fewshot(folder, way=3, shot=2, points=150):
    """Two folds of three classes, two examples and two queries each; clouds (of 8,192 points there) are stretched."""
    root, rng = folder / 'ModelNetFewshot' / f'{way}way_{shot}shot', np.random.default_rng(0)
    root.mkdir(parents=True)
    for fold in range(2):
        clouds = [rng.standard_normal((way, points, 6)) * (1 + 2 * np.eye(6)[:way, None]) for _ in range(shot + 2)]
        records = [(cloud[k].astype(np.float32), k, 5 * fold + k) for cloud in clouds for k in range(way)]
        content = {'train': records[: way * shot], 'test': records[way * shot :]}
        (root / f'{fold}.pkl').write_bytes(pickle.dumps(content))


def write_scanobjectnn(folder, train=9):
    """All three variants, 9 training and 6 test shapes each; clouds as stored, off the origin."""
    rng = np.random.default_rng(0)
    for place, suffix in (
        ('main_split', 'objectdataset'),
        ('main_split_nobg', 'objectdataset'),
        ('main_split', 'objectdataset_augmentedrot_scale75'),
    ):
        root = folder / 'ScanObjectNN' / place
        root.mkdir(parents=True, exist_ok=True)
        for prefix, count in (('training', train), ('test', 6)):
            with h5py.File(root / f'{prefix}_{suffix}.h5', 'w') as file:
                points = rng.uniform(0, 2, (count, 2048, 3)).astype(np.float32)
                # Planes in three directions, so that there is something to learn.
                points[np.arange(count), :, np.arange(count) % 3] = 1
                file['data'], file['label'] = points, np.arange(count) % 3
