"""ModelNet40 and ScanObjectNN in exactly the layouts of their releases, with a few shapes of three classes."""

import pickle

import h5py
import numpy as np

from mmpt.datasets.modelnet import MODELNET40

_CLASSES = ('airplane', 'chair', 'night_stand')
_TEN = ('bathtub', 'bed', 'chair', 'desk', 'dresser', 'monitor', 'night_stand', 'sofa', 'table', 'toilet')


def write_modelnet40(folder, train=4, points=200):
    """Text files: of each class ``train`` and 2 test shapes of ``points`` (10,000 in the release) with normals."""
    root, rng = folder / 'ModelNet' / 'modelnet40_normal_resampled', np.random.default_rng(0)
    root.mkdir(parents=True)
    for count, names in ((40, MODELNET40), (10, _TEN)):
        (root / f'modelnet{count}_shape_names.txt').write_text(''.join(f'{name}\n' for name in names))
    for split, numbers in (('train', range(1, train + 1)), ('test', range(train + 1, train + 3))):
        stems = [f'{name}_{number:04d}' for name in _CLASSES for number in numbers]
        (root / f'modelnet40_{split}.txt').write_text(''.join(f'{stem}\n' for stem in stems))
        tenth = [stem for stem in stems if stem.rpartition('_')[0] in _TEN]
        (root / f'modelnet10_{split}.txt').write_text(''.join(f'{stem}\n' for stem in tenth))
        for stem in stems:
            place = root / stem.rpartition('_')[0]
            place.mkdir(exist_ok=True)
            # Stretched along another axis by class, so that there is something to learn.
            cloud = rng.standard_normal((points, 6)) * (1 + 2 * np.eye(6)[_CLASSES.index(place.name)])
            cloud[:, 3:] /= np.linalg.norm(cloud[:, 3:], axis=1, keepdims=True)
            np.savetxt(place / f'{stem}.txt', cloud, fmt='%.6f', delimiter=',')


def write_modelnet40_h5(folder, train=5):
    """The release of PointNet: of each class ``train`` and 2 test shapes of 2,048 points, in the unit sphere."""
    root, rng = folder / 'modelnet40_ply_hdf5_2048', np.random.default_rng(0)
    root.mkdir(parents=True)
    (root / 'shape_names.txt').write_text('\n'.join(MODELNET40))
    for split, count in (('train', train), ('test', 2)):
        names = [f'ply_data_{split}{number}.h5' for number in range(2)]
        (root / f'{split}_files.txt').write_text(''.join(f'data/{root.name}/{name}\n' for name in names))
        labels = np.repeat([MODELNET40.index(name) for name in _CLASSES], count)
        for name, part in zip(names, np.array_split(labels, 2)):
            points = rng.standard_normal((len(part), 2048, 3))
            points -= points.mean(axis=1, keepdims=True)
            points /= np.linalg.norm(points, axis=2).max(axis=1)[:, None, None]
            with h5py.File(root / name, 'w') as file:
                file['data'] = points.astype(np.float32)
                file['label'] = part[:, None].astype(np.uint8)


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
