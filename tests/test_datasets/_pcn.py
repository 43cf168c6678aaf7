"""PCN in exactly its released layout: a few models of other sizes, in both forms of a .pcd file."""

import json

import numpy as np

from mmpt.datasets.pcn import PCN_SYNSETS
from mmpt.datasets.shapenet import SYNSETS

HEADER = """# .PCD v0.7 - Point Cloud Data file format
VERSION 0.7
FIELDS x y z
SIZE 4 4 4
TYPE F F F
COUNT 1 1 1
WIDTH {n}
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS {n}
DATA {kind}
"""
MODELS = {
    'train': {'02691156': ['1a04e3eab45ca15dd86060f189eb133', 'b'], '04256520': ['c-d']},
    'val': {'04256520': ['v']},
    'test': {'03001627': ['t', 'u']},
}


def write_pcd(path, points, kind='binary'):
    path.parent.mkdir(parents=True, exist_ok=True)
    points = points.astype('<f4')
    body = points.tobytes() if kind == 'binary' else '\n'.join(' '.join(map(repr, row)) for row in points.tolist())
    body = body if kind == 'binary' else (body + '\n').encode()
    path.write_bytes(HEADER.format(n=len(points), kind=kind).encode() + body)


def complete_of(number):
    return np.random.default_rng(number).uniform(-0.5, 0.5, (16384, 3)).astype(np.float32)


def write_pcn(folder):
    """Six models: the partial clouds are parts of the complete one, of different sizes; 0N holds point N."""
    root = folder / 'PCN'
    classes = [
        {'taxonomy_id': synset, 'taxonomy_name': SYNSETS[synset], **{s: MODELS[s].get(synset, []) for s in MODELS}}
        for synset in PCN_SYNSETS
    ]
    for number, (split, synset, model) in enumerate(
        (split, synset, model) for split, part in MODELS.items() for synset, models in part.items() for model in models
    ):
        complete = complete_of(number)
        write_pcd(root / split / 'complete' / synset / f'{model}.pcd', complete)
        for view in range(8 if split == 'train' else 1):
            kind = 'ascii' if view == 3 else 'binary'
            partial = complete[view : view + (1500 if view % 2 else 2500)]
            write_pcd(root / split / 'partial' / synset / model / f'{view:02d}.pcd', partial, kind)
    (root / 'PCN.json').write_text(json.dumps(classes))
    return root
