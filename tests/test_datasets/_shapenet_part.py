"""ShapeNetPart in exactly its released layouts: a few shapes as text files, and as the h5 export."""

import json

import h5py
import numpy as np

from mmpt.datasets.shapenet_part import PART_CLASSES, PART_RANGES

LISTS = {
    'train': ['02691156/1a04e3eab45ca15dd86060f189eb133', '03790512/9d3b07f4475d501e8249f134aca4c817'],
    'val': ['04379243/a.b-c'],
    'test': ['03797390/10f6e09036350e92b3f21f1137c3c347', '02691156/zz'],
}
# Numbers of the parts as METHODS and the release give them, written out once more.
RANGES = {'02691156': (0, 3), '03790512': (30, 35), '03797390': (36, 37), '04379243': (47, 49)}
FILES = {'train': 6, 'val': 1, 'test': 2}


def cloud(entry):
    """Rows of a shape: more than 2,048 points or fewer, the parts of its class in turn."""
    synset = entry.split('/')[0]
    rng = np.random.default_rng(sum(map(ord, entry)))
    first, last = RANGES[synset]
    count = 2600 if 'zz' in entry else 1500
    normals = rng.standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    parts = first + np.arange(count) % (last - first + 1)
    return np.hstack([rng.uniform(-0.4, 0.4, (count, 3)), normals, parts[:, None]])


def write_text(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, table, fmt=['%.6f'] * 6 + ['%.6f'])


def write_text_release(folder):
    root = folder / 'shapenetcore_partanno_segmentation_benchmark_v0_normal'
    (root / 'train_test_split').mkdir(parents=True)
    lines = [f'{name.capitalize()}\t{synset}\n' for synset, name, _ in PART_CLASSES]
    (root / 'synsetoffset2category.txt').write_text(''.join(lines))
    for split, entries in LISTS.items():
        path = root / 'train_test_split' / f'shuffled_{split}_file_list.json'
        path.write_text(json.dumps([f'shape_data/{entry}' for entry in entries]))
        for entry in entries:
            write_text(root / f'{entry}.txt', cloud(entry))
    return root


def write_h5_release(folder):
    root = folder / 'hdf5_data'
    root.mkdir()
    for split, files in FILES.items():
        for number in range(files):
            rng = np.random.default_rng([len(split), number])
            labels = rng.integers(16, size=(4 + number, 1)).astype(np.uint8)
            starts, ends = np.array(PART_RANGES)[labels[:, 0]].T
            parts = rng.integers(starts[:, None], ends[:, None], size=(4 + number, 2048))
            write_h5(root / f'ply_data_{split}{number}.h5', rng.uniform(-1, 1, (4 + number, 2048, 3)), labels, parts)
    return root


def write_h5(path, data, label, pid):
    with h5py.File(path, 'w') as file:
        file.create_dataset('data', data=data.astype(np.float32), compression='gzip')
        file.create_dataset('label', data=label.astype(np.uint8), compression='gzip')
        file.create_dataset('pid', data=pid.astype(np.uint8), compression='gzip')
