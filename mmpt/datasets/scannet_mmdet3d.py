"""ScanNet as MMDetection3D 1.x converts it: binary files, and one pickle of infos per split."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .lidar import read_rows
from .paths import inside, need_file
from .reading import read_pickle

__all__ = ['SceneInfo', 'read_infos', 'read_scene']

_WHO = "`data_root` of ScanNet(layout='mmdet3d')"


class SceneInfo(NamedTuple):
    """What the pickle says of a scene.

    Attributes:
        name (str): such as scene0000_00.
        points (Path): (N, 6) float32, x y z red green blue.
        semantic (Path | None): (N,) int64, NYU40 ids; None where the scene has no labels.
        instance (Path | None): (N,) int64, objects from 1, 0 for none.
        axis_align (ndarray): (4, 4) float64, from the frame of the points to that of the boxes.
        boxes (ndarray): (K, 6) float32, centre and size in metres.
        box_labels (ndarray): (K,) int64, one of the 18 detection classes, -1 for others.
    """

    name: str
    points: Path
    semantic: Path | None
    instance: Path | None
    axis_align: np.ndarray
    boxes: np.ndarray
    box_labels: np.ndarray


def read_infos(data_root: Path, split: str, source: str) -> list[SceneInfo]:
    """Read ``scannet_infos_<split>.pkl``.

    Args:
        data_root (Path): the folder with the pickle, ``points``, ``instance_mask`` and ``semantic_mask``.
        split (str): 'train', 'val' or 'test'.
        source (str): where the data come from, for the error.

    Returns:
        list[SceneInfo]: in the order of the pickle; arrays only, so that it stays small.

    Raises:
        FileNotFoundError: there is no such pickle.
        ValueError: it is not one of MMDetection3D 1.x, or names a file outside ``data_root``.
    """
    path = need_file(
        data_root / f'scannet_infos_{split}.pkl', 'the infos that tools/create_data.py wrote', _WHO, source
    )
    content = read_pickle(path)
    entries = content.get('data_list') if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(
            f"{path} is not a dictionary with a 'data_list', as MMDetection3D 1.x writes it; bring infos of an older "
            'version up to date with its tools/dataset_converters/update_infos_to_v2.py.'
        )
    infos = []
    for number, entry in enumerate(entries):
        where = f'{path}, scene {number}'
        try:
            infos.append(_read_entry(data_root, split, entry, where))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{where} is not an entry of MMDetection3D 1.x ({type(error).__name__}: {error}); create the infos '
                'again.'
            ) from error
    return infos


def _read_entry(root: Path, split: str, entry: dict[str, Any], where: str) -> SceneInfo:
    file = entry['lidar_points']['lidar_path']
    masks: list[Path | None] = [None, None]
    if split != 'test':
        masks = [
            inside(root / folder, entry[f'pts_{folder}_path'], where) for folder in ('semantic_mask', 'instance_mask')
        ]
    instances = entry.get('instances') or []
    matrix = entry.get('axis_align_matrix', entry['lidar_points'].get('axis_align_matrix', np.eye(4)))
    try:
        axis_align = np.array(matrix, np.float64).reshape(4, 4)
        boxes = np.array([one['bbox_3d'] for one in instances], np.float32).reshape(len(instances), 6)
        box_labels = np.array([one['bbox_label_3d'] for one in instances], np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f'{where} has no axis_align_matrix of 4 x 4 numbers, or boxes without 6 numbers and a label ({error}); '
            'create the infos again.'
        ) from error
    return SceneInfo(
        name=Path(file).stem,
        points=inside(root / 'points', file, where),
        semantic=masks[0],
        instance=masks[1],
        axis_align=axis_align,
        boxes=boxes,
        box_labels=box_labels,
    )


def read_scene(info: SceneInfo) -> dict[str, np.ndarray]:
    """Read the files of a scene.

    Returns:
        dict: the arrays that tools/dataset_converters/scannet.py would have written, but for normals.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is cut off, or a mask has not one number for each point.
    """
    rows = read_rows(info.points, 6, 'x y z red green blue')
    scene = {'points': rows[:, :3].copy(), 'colors': rows[:, 3:], 'axis_align': info.axis_align}
    if info.semantic is not None and info.instance is not None:
        for key, path in (('semantic', info.semantic), ('instance', info.instance)):
            scene[key] = read_rows(path, 1, f'one {key} number', np.int64)[:, 0]
            if len(scene[key]) != len(rows):
                raise ValueError(
                    f'{path} has {len(scene[key])} numbers, expected one for each of the {len(rows)} points of '
                    f'{info.points}; convert the scene again.'
                )
        scene['instance'] = scene['instance'] - 1
        scene['boxes'] = np.concatenate([info.boxes, np.zeros((len(info.boxes), 1), np.float32)], axis=1)
        scene['box_labels'] = info.box_labels
    return scene
