"""Make one .npz file per scene of ScanNet v2 from the release.

    python tools/dataset_converters/scannet.py data/scannet_raw data/scannet

reads, below data/scannet_raw,

    scannetv2_{train,val,test}.txt, scannetv2-labels.combined.tsv      (--lists says where, if they are elsewhere)
    scans/<scene>/<scene>_vh_clean_2.ply                               scans_test/<scene>/... for the test scenes
    scans/<scene>/<scene>_vh_clean_2.0.010000.segs.json                of train and val only
    scans/<scene>/<scene>.aggregation.json                             of train and val only
    scans/<scene>/<scene>.txt                                          axisAlignment

and writes data/scannet/scenes/<scene>.npz and the lists. In a scene are points (N, 3) float32, the vertices of the mesh
in its own frame; colors (N, 3) uint8; normals (N, 3) float32, means of the faces around, weighted by area; axis_align
(4, 4) float64, to the frame of the boxes; and for train and val semantic (N,) uint8, NYU40 ids, 0 where nothing is
annotated; instance (N,) int32, the objects from 0 in the order of the aggregation, -1 for none; boxes (K, 7) float32,
centre, size and yaw 0 of the objects of the 18 detection classes; box_labels (K,) int8. The release's
<scene>_vh_clean_2.labels.ply is not read: aggregation and segments say the same. Scenes that are there already are left
as they are, so that the same command goes on where it was stopped.

Put right on the way, and said: an object that lists the same segments as an earlier one (all of scene0217_00 is listed
twice) is left out; a train or val scene without axisAlignment keeps its own frame.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmpt.datasets.paths import inside, need_file, need_folder
from mmpt.datasets.reading import read_cloud, read_json
from mmpt.datasets.scannet import read_scene_list
from mmpt.datasets.scannet_tables import SCANNET18, nyu40_to_class
from mmpt.utils.conversion import convert_all
from mmpt.utils.io import atomic_write, remove_leftovers

_SPLITS = ('train', 'val', 'test')
_WHO = 'the release of ScanNet v2'
_SOURCE = 'docs/datasets/scannet.md says where to get it, and which files are needed.'


class Scene(NamedTuple):
    """What one task needs.

    Attributes:
        folder (Path): with the files of the scene.
        out (Path): the .npz file to write.
        nyu40 (dict | None): label of the release -> NYU40 id; None for a test scene, which has no labels.
    """

    folder: Path
    out: Path
    nyu40: dict[str, int] | None

    def file(self, ending: str) -> Path:
        """A file of the scene, which must be there."""
        name = f'{self.folder.name}{ending}'
        return need_file(self.folder / name, f'{name} of the release', _WHO, _SOURCE)


def read_nyu40(path: Path) -> dict[str, int]:
    """Read the columns raw_category and nyu40id of scannetv2-labels.combined.tsv."""
    need_file(path, 'the table of labels', _WHO, _SOURCE)
    with open(path, encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file, delimiter='\t'))
    try:
        table = {row['raw_category']: int(row['nyu40id']) for row in rows if row['nyu40id']}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path} is not a table with the columns raw_category and nyu40id, separated by tabs ({error}); take '
            'scannetv2-labels.combined.tsv of the release.'
        ) from error
    if not table or not 0 <= min(table.values()) <= max(table.values()) <= 40:
        raise ValueError(f'{path} has no NYU40 ids, or others than 0 to 40; take the file of the release.')
    return table


def convert(scene: Scene) -> list[str]:
    """Read the files of a scene and write it.

    Returns:
        list[str]: what was put right.
    """
    need_folder(scene.folder, f'{scene.folder.name}_vh_clean_2.ply', _WHO, _SOURCE)
    path = scene.file('_vh_clean_2.ply')
    mesh = read_cloud(path)
    if mesh.faces is None or mesh.colors is None:
        raise ValueError(f'{path} has no faces or no colours, expected a mesh with both; download it again.')
    notes: list[str] = []
    arrays = {
        'points': mesh.points,
        'colors': mesh.colors,
        'normals': vertex_normals(mesh.points, mesh.faces),
        'axis_align': read_alignment(scene, notes),
    }
    if scene.nyu40 is not None:
        arrays.update(read_labels(scene, len(mesh.points), notes))
        arrays.update(make_boxes(arrays))
        del arrays['object_ids']
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    atomic_write(buffer.getvalue(), scene.out)
    return notes


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of vertices: the sum of the cross products of the faces around, (0, 0, 1) where there is none."""
    corners = points.astype(np.float64)[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.empty((len(points), 3))
    for axis in range(3):
        weights = np.repeat(cross[:, axis], 3)
        total[:, axis] = np.bincount(faces.ravel(), weights, minlength=len(points))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0])
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), up).astype(np.float32)


def read_alignment(scene: Scene, notes: list[str]) -> np.ndarray:
    """The matrix of the line axisAlignment, (4, 4) float64; the identity where there is none, as in the test scenes."""
    path = scene.folder / f'{scene.folder.name}.txt'
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines() if path.is_file() else []
    values = [line.partition('=')[2] for line in lines if line.partition('=')[0].strip() == 'axisAlignment']
    if not values:
        if scene.nyu40 is not None:
            notes.append(f'{path.name} has no axisAlignment, so its boxes stand in the frame of the mesh')
        return np.eye(4)
    try:
        matrix = np.array([float(word) for word in values[0].split()]).reshape(4, 4)
    except ValueError as error:
        raise ValueError(f'{path} has an axisAlignment that is not 16 numbers ({error}); download it again.') from error
    # Up must stay up, and a metre a metre: the normals and the boxes rely on it.
    rigid = np.isfinite(matrix).all() and np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-3)
    if not rigid or not np.allclose(matrix[2, :3], [0, 0, 1], atol=1e-3):
        raise ValueError(f'{path} has an axisAlignment that is not a turn about z and a shift; download it again.')
    return matrix


def read_labels(scene: Scene, count: int, notes: list[str]) -> dict[str, np.ndarray]:
    """NYU40 id and object of every vertex.

    A segment that several objects list belongs to the last of them, as in the code of the benchmark.

    Returns:
        dict: semantic (N,) uint8, instance (N,) int32, object_ids (M,) the NYU40 id of each object.
    """
    path = scene.file('_vh_clean_2.0.010000.segs.json')
    segments = _field(path, 'segIndices')
    if len(segments) != count:
        raise ValueError(
            f'{path} has {len(segments)} segment numbers, expected one for each of the {count} vertices of '
            f'{scene.folder.name}_vh_clean_2.ply; one of the two is of another version: download both again.'
        )
    known, segment_of = np.unique(_numbers(segments, path), return_inverse=True)
    path = scene.file('.aggregation.json')
    nyu40, objects = np.zeros(len(known), np.uint8), np.full(len(known), -1, np.int32)
    ids: list[int] = []
    seen: set[tuple[int, ...]] = set()
    for group in _field(path, 'segGroups'):
        label, listed = _group(group, path)
        if listed in seen:
            notes.append(f'left out an object ({label}) that lists the segments of an earlier one')
            continue
        seen.add(listed)
        if label not in scene.nyu40:
            raise ValueError(
                f'{path} has an object {label!r}, which is not in the table of labels; take '
                'scannetv2-labels.combined.tsv of the same release.'
            )
        places = np.searchsorted(known, listed)
        if not (places < len(known)).all() or not (known[places] == listed).all():
            raise ValueError(
                f'{path} lists segments of the object {label!r} that no vertex has; it is of another version than '
                f'{scene.folder.name}_vh_clean_2.0.010000.segs.json: download both again.'
            )
        nyu40[places], objects[places] = scene.nyu40[label], len(ids)
        ids.append(scene.nyu40[label])
    return {
        'semantic': nyu40[segment_of],
        'instance': objects[segment_of],
        'object_ids': np.array(ids, np.int64),
    }


def _field(path: Path, name: str) -> list[Any]:
    content = read_json(path)
    values = content.get(name) if isinstance(content, dict) else None
    if not isinstance(values, list):
        raise ValueError(f'{path} has no list {name!r}; download it again.')
    return values


def _numbers(values: list[Any], path: Path) -> np.ndarray:
    array = np.array(values)
    if array.ndim != 1 or array.dtype.kind not in 'iu':
        raise ValueError(f'{path} has segment numbers that are no integers; download it again.')
    return array.astype(np.int64)


def _group(group: Any, path: Path) -> tuple[str, tuple[int, ...]]:
    try:
        return str(group['label']), tuple(sorted(int(number) for number in group['segments']))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path} has an object without label and segments ({error}); download it again.') from error


def make_boxes(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The boxes around the objects of the 18 classes, in the frame that axis_align leads to.

    Returns:
        dict: boxes (K, 7) float32, box_labels (K,) int8. An object that kept no vertex has none.
    """
    labels = nyu40_to_class(SCANNET18)[arrays['object_ids']]
    align, instance = arrays['axis_align'], arrays['instance']
    points = arrays['points'].astype(np.float64) @ align[:3, :3].T + align[:3, 3]
    order = np.argsort(instance, kind='stable')
    numbers, starts = np.unique(instance[order], return_index=True)
    low = np.minimum.reduceat(points[order], starts, axis=0)
    high = np.maximum.reduceat(points[order], starts, axis=0)
    wanted = np.array([number >= 0 and labels[number] >= 0 for number in numbers], bool)
    boxes = np.concatenate([(low + high) / 2, high - low, np.zeros((len(numbers), 1))], axis=1)[wanted]
    return {'boxes': boxes.astype(np.float32), 'box_labels': labels[numbers[wanted]].astype(np.int8)}


def find_scenes(release: Path, lists: Path, out: Path, splits: list[str]) -> dict[str, Scene]:
    """The scenes of the lists, by name."""
    need_folder(release, 'scans/<scene> (and scans_test/<scene>)', _WHO, _SOURCE)
    nyu40 = None if splits == ['test'] else read_nyu40(lists / 'scannetv2-labels.combined.tsv')
    scenes = {}
    for split in splits:
        path = lists / f'scannetv2_{split}.txt'
        folder = release / ('scans_test' if split == 'test' else 'scans')
        need_folder(folder, f'a folder for every scene of {path.name}', _WHO, _SOURCE)
        for number, name in read_scene_list(path, _WHO, _SOURCE):
            place = inside(folder, name, f'{path}, line {number}')
            scenes[name] = Scene(place, out / 'scenes' / f'{name}.npz', None if split == 'test' else nyu40)
    return scenes


def main() -> None:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('release', type=Path, help='the folder with scans and scans_test')
    parser.add_argument('out', type=Path, help='where scenes and lists go')
    parser.add_argument('--lists', type=Path, help='the folder with the lists and the table of labels (the release)')
    parser.add_argument('--splits', nargs='+', choices=_SPLITS, default=list(_SPLITS), help='default: all three')
    parser.add_argument('--workers', type=int, default=1, help='processes; each holds one scene in memory')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()

    lists = args.lists or args.release
    scenes = find_scenes(args.release, lists, args.out, args.splits)
    remove_leftovers(args.out / 'scenes')
    for split in args.splits:
        name = f'scannetv2_{split}.txt'
        atomic_write((lists / name).read_bytes(), args.out / name)
    todo = {name: scene for name, scene in scenes.items() if not scene.out.is_file()}
    print(f'{len(scenes)} scenes in the lists, {len(scenes) - len(todo)} of them done before', file=sys.stderr)
    convert_all(todo, convert, 'scenes', args.workers)
    print(f'{len(scenes)} scenes in {args.out}; configs/_base_/datasets/scannet.py reads them')


if __name__ == '__main__':
    from mmpt.utils.errors import run

    sys.exit(run(main))
