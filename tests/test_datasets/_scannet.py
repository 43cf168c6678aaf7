"""A release of ScanNet v2 in small: four scenes in exactly its layout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from _scripts import load_script

ROOT = Path(__file__).resolve().parents[2]

#: Label of the release, NYU40 id.
LABELS = {'floor': 2, 'office chair': 5, 'coffee table': 7, 'pillow': 18, 'trash can': 39}
#: What stands in a room, in the frame of its axes: label, centre, size.
OBJECTS = [
    ('floor', (2.0, 1.5, 0.0), (4.0, 3.0, 0.02)),
    ('office chair', (1.0, 1.0, 0.5), (0.5, 0.6, 1.0)),
    ('office chair', (3.0, 1.0, 0.5), (0.5, 0.5, 1.0)),
    ('coffee table', (2.0, 2.2, 0.25), (1.0, 0.6, 0.5)),
    ('pillow', (2.0, 2.2, 0.55), (0.4, 0.4, 0.1)),
    ('trash can', (0.3, 2.7, 0.2), (0.3, 0.3, 0.4)),
]
TRAIN, VAL, TEST = ['scene0000_00', 'scene0000_01'], ['scene0011_00'], ['scene0707_00']


def alignment(seed):
    angle, shift = 0.3 + seed, np.array([0.5, -2.0 * seed, 0.1])
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift
    return matrix


def room():
    """Vertices in the frame of the room, colours, faces, the object of each vertex; two loose vertices at the end."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    vertices, faces, owner = [], [], []
    for number, (_, centre, size) in enumerate(OBJECTS):
        for a, b, c, d in quads:
            faces += [[8 * number + k for k in (a, b, c)], [8 * number + k for k in (a, c, d)]]
        vertices.append(corners * size + centre)
        owner += [number] * 8
    vertices.append([[1.0, 1.0, 2.4], [2.0, 2.0, 2.5]])
    vertices = np.concatenate(vertices)
    colors = np.random.default_rng(0).integers(0, 256, (len(vertices), 3)).astype(np.uint8)
    return vertices, colors, np.array(faces), np.array([*owner, -1, -1])


def write_ply(path, points, colors, faces, labels=None):
    """As the release writes them: binary, little-endian, with alpha, and with a label in the .labels.ply."""
    fields = [('xyz', '<f4', 3), ('rgba', 'u1', 4)] + ([] if labels is None else [('label', '<u2')])
    rows = np.zeros(len(points), fields)
    rows['xyz'], rows['rgba'][:, :3], rows['rgba'][:, 3] = points, colors, 255
    header = ['ply', 'format binary_little_endian 1.0', 'comment VCGLIB generated', f'element vertex {len(points)}']
    header += [f'property float {name}' for name in 'xyz']
    header += [f'property uchar {name}' for name in ('red', 'green', 'blue', 'alpha')]
    if labels is not None:
        rows['label'] = labels
        header.append('property ushort label')
    header += [f'element face {len(faces)}', 'property list uchar int vertex_indices', 'end_header', '']
    triangles = np.zeros(len(faces), [('count', 'u1'), ('corner', '<i4', 3)])
    triangles['count'], triangles['corner'] = 3, faces
    path.write_bytes('\n'.join(header).encode() + rows.tobytes() + triangles.tobytes())


def write_scene(folder, seed, labelled=True, twice=False):
    vertices, colors, faces, owner = room()
    align = alignment(seed)
    points = (vertices - align[:3, 3]) @ align[:3, :3]
    name = folder.name
    folder.mkdir(parents=True)
    write_ply(folder / f'{name}_vh_clean_2.ply', points, colors, faces)
    info = ['colorHeight = 968', 'numDepthFrames = 1162', 'sceneType = Bedroom / Hotel']
    if labelled:
        # Two segments per object, numbered with gaps; the loose vertices have segments that no object lists.
        segments = np.where(owner < 0, 9000 + np.arange(len(owner)), 100 * owner + np.arange(len(owner)) % 2)
        groups = [
            {'id': k, 'objectId': k, 'segments': [100 * k + 1, 100 * k], 'label': label}
            for k, (label, _, _) in enumerate(OBJECTS)
        ]
        if twice:
            groups += [{**group, 'id': group['id'] + 6, 'objectId': group['id'] + 6} for group in groups]
        nyu40 = [0 if number < 0 else LABELS[OBJECTS[number][0]] for number in owner]
        write_ply(folder / f'{name}_vh_clean_2.labels.ply', points, colors, faces, nyu40)
        (folder / f'{name}.aggregation.json').write_text(
            json.dumps({'sceneId': f'scannet.{name}', 'appId': 'Aggregator.v2', 'segGroups': groups})
        )
        (folder / f'{name}_vh_clean_2.0.010000.segs.json').write_text(
            json.dumps({'params': {'kThresh': '0.0001'}, 'sceneId': name, 'segIndices': segments.tolist()})
        )
        info.insert(0, 'axisAlignment = ' + ' '.join(f'{value:.6f}' for value in align.ravel()) + ' ')
    (folder / f'{name}.txt').write_text('\n'.join(info) + '\n')


def write_release(root):
    columns = 'id raw_category category count nyu40id eigen13id nyuClass nyu40class eigen13class ModelNet40 ModelNet10 '
    columns += 'ShapeNetCore55 synsetoffset wnsynsetid wnsynsetkey mpcat40 mpcat40index'
    table = ['\t'.join(columns.split())]
    table += [f'{k}\t{raw}\t{raw}\t1\t{nyu}' + '\t' * 12 for k, (raw, nyu) in enumerate(LABELS.items())]
    root.mkdir(exist_ok=True)
    (root / 'scannetv2-labels.combined.tsv').write_text('\n'.join(table) + '\n')
    for split, names in (('train', TRAIN), ('val', VAL), ('test', TEST)):
        (root / f'scannetv2_{split}.txt').write_text('\n'.join(names) + '\n')
        for name in names:
            parent = root / ('scans_test' if split == 'test' else 'scans')
            write_scene(parent / name, int(name[-2:]), labelled=split != 'test', twice=name == 'scene0011_00')


def run(*args):
    """Run the converter as a command."""
    command = [sys.executable, str(ROOT / 'tools/dataset_converters/scannet.py'), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, 'OMP_NUM_THREADS': '1'})


def converter():
    """The command as a module."""
    return load_script('tools/dataset_converters/scannet.py')


def convert_here(release, out):
    """What the command does, without the seconds that starting it takes."""
    module = converter()
    for scene in module.find_scenes(release, release, out, ['train', 'val', 'test']).values():
        module.convert(scene)
    for path in release.glob('scannetv2_*.txt'):
        (out / path.name).write_text(path.read_text())
