"""A folder as users have them, and helpers to read it."""

import cv2
import numpy as np
import pytest
import trimesh

from mmpt.datasets import PointCloudFolder

LOAD = [{'type': 'LoadPoints'}]


def cloud(seed, count=20):
    return np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


def write_ply(path, points, **properties):
    """An ascii cloud with extra columns."""
    names = ['x', 'y', 'z', *properties]
    kinds = ['float'] * 3 + ['uchar' if values.dtype == np.uint8 else 'float' for values in properties.values()]
    head = ['ply', 'format ascii 1.0', f'element vertex {len(points)}']
    head += [f'property {kind} {name}' for kind, name in zip(kinds, names)] + ['end_header']
    rows = zip(*points.T.tolist(), *(values.tolist() for values in properties.values()))
    path.write_text('\n'.join(head + [' '.join(map(repr, row)) for row in rows]) + '\n')


def write_tree(folder):
    """Two splits of three classes in many formats, with pictures of some: the two roots."""
    root = folder / 'mine'
    for split in ('train', 'test'):
        for name in ('box', 'ball', 'cloud'):
            (root / split / name).mkdir(parents=True)
        trimesh.creation.box((1, 2, 3)).export(root / split / 'box' / 'one.obj')
        trimesh.creation.icosphere(subdivisions=2, radius=2).export(root / split / 'ball' / 'one.STL')
        (root / split / 'cloud' / 'deep' / 'er').mkdir(parents=True)
        np.save(root / split / 'cloud' / 'deep' / 'er' / 'a.npy', cloud(0))
        np.savetxt(root / split / 'cloud' / 'b.xyz', cloud(1))
        write_ply(root / split / 'cloud' / 'c.ply', cloud(2))
    (root / 'train' / 'box' / 'one.mtl').write_text('newmtl grey\n')
    (root / 'train' / 'box' / '.hidden.ply').write_text('')
    (root / 'train' / '.git').mkdir()
    (root / 'train' / 'cloud' / 'LICENSE').write_text('free\n')
    images = folder / 'images'
    for k in (2, 0, 1):
        picture(images / 'train' / 'box' / 'one' / f'{k:02d}.png', 10 * k)
    (images / 'train' / 'box' / 'one' / 'notes.txt').write_text('')
    picture(images / 'train' / 'cloud' / 'b.jpg', 200)
    return root, images


def picture(path, blue):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((9, 9, 3), (blue, 100, 50), np.uint8))


def open_folder(root, *args, **kwargs):
    return PointCloudFolder(str(root), *args, **kwargs)


def refuse(kind, root, *args, pipeline=None, index=None, **kwargs):
    """Opening, or taking a sample, is refused in one sentence."""
    with pytest.raises(kind) as error:
        data = open_folder(root, *args, pipeline=pipeline or (), **kwargs)
        if index is not None:
            data[index]
    text = str(error.value.args[0] if isinstance(error.value, KeyError) else error.value)
    assert '\n' not in text and text.endswith('.')
    return text
