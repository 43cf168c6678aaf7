"""The tables of nuScenes, and the compact index of key frames that is made of them once."""

from __future__ import annotations

import json
import os
import re
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .lidar import pose_matrix, rotation_of
from .paths import need_file, need_folder
from .reading.arrays import read_npz

__all__ = ['CAMERAS', 'CLASSES', 'NO_CATEGORY', 'SOURCE', 'make_index', 'read_index', 'rows_of', 'write_index']

# Clockwise from the front, seen from above.
CAMERAS = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_BACK_RIGHT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_FRONT_LEFT')
_LIDAR = 'LIDAR_TOP'
# The 16 classes of the lidarseg benchmark; the first ten are those of the detection benchmark. With the categories that
# each takes in, as the devkit's pages on the two tasks list them; all others are ignored (-1).
_CATEGORIES = {
    'barrier': ('movable_object.barrier',),
    'bicycle': ('vehicle.bicycle',),
    'bus': ('vehicle.bus.bendy', 'vehicle.bus.rigid'),
    'car': ('vehicle.car',),
    'construction_vehicle': ('vehicle.construction',),
    'motorcycle': ('vehicle.motorcycle',),
    'pedestrian': tuple(
        f'human.pedestrian.{who}' for who in ('adult', 'child', 'construction_worker', 'police_officer')
    ),
    'traffic_cone': ('movable_object.trafficcone',),
    'trailer': ('vehicle.trailer',),
    'truck': ('vehicle.truck',),
    'driveable_surface': ('flat.driveable_surface',),
    'other_flat': ('flat.other',),
    'sidewalk': ('flat.sidewalk',),
    'terrain': ('flat.terrain',),
    'manmade': ('static.manmade',),
    'vegetation': ('static.vegetation',),
}
CLASSES = tuple(_CATEGORIES)
_CLASS_OF = {category: label for label, names in enumerate(_CATEGORIES.values()) for category in names}
# What a number of the lidarseg files means that no category of the tables has.
NO_CATEGORY = -2

SOURCE = (
    'The data are at https://www.nuscenes.org/download (registration); they have no generated twin yet, and '
    'configs/mmpt/pretrain_synthetic.py runs without any download, on objects.'
)
_CHUNK, _LONGEST_ROW = 2**22, 2**20
_BETWEEN = re.compile(r'[\s,]*')
_NEEDED = ('scene', 'sample', 'sample_data', 'ego_pose', 'calibrated_sensor', 'sensor')
_OPTIONAL = ('sample_annotation', 'instance', 'category', 'lidarseg')
_FORMAT = 1
_ARRAYS = (
    *('format', 'table_bytes', 'scenes', 'scene', 'sample', 'lidar', 'cameras', 'projections'),
    *('box_start', 'boxes', 'box_labels', 'lidarseg', 'semantic_of'),
)


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Go through the rows of a table without holding it in memory.

    Args:
        path (Path): a JSON file: one list of flat objects.

    Yields:
        dict: a row.

    Raises:
        ValueError: the file is no such list, or is cut off.
    """
    decode = json.JSONDecoder().raw_decode
    with path.open(encoding='utf-8', errors='replace') as file:
        text, place, count = file.read(_CHUNK), 0, 0
        place = _BETWEEN.match(text).end()
        if text[place : place + 1] != '[':
            raise ValueError(f'{path}: expected a JSON list of rows, got {text[:20]!r}; get the table again.')
        place += 1
        while True:
            place = _BETWEEN.match(text, place).end()
            if text[place : place + 1] == ']':
                return
            try:
                row, place = decode(text, place)
            except (json.JSONDecodeError, RecursionError) as error:
                more = file.read(_CHUNK) if len(text) - place < _LONGEST_ROW else ''
                if not more:
                    raise ValueError(
                        f'{path}: row {count + 1} cannot be read; the table is cut off or damaged: get it again.'
                    ) from error
                text, place = text[place:] + more, 0
                continue
            if not isinstance(row, dict):
                raise ValueError(f'{path}: expected an object as row {count + 1}, got {str(row)[:20]!r}.')
            count += 1
            yield row


class _Tables:
    """The folder of one version; every access names the file that lacks something."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say

    def path(self, name: str) -> Path:
        return self.folder / f'{name}.json'

    def has(self, name: str) -> bool:
        return self.path(name).is_file()

    def rows(self, name: str, *fields: str) -> Iterator[tuple[Any, ...]]:
        """The fields of every row, in the order of the file."""
        path = need_file(self.path(name), 'a table of nuScenes', '`version` of NuScenes', SOURCE)
        self.say(f'{path.name} ({path.stat().st_size / 2**20:,.0f} MiB)')
        for number, row in enumerate(rows_of(path), start=1):
            try:
                yield tuple(row[field] for field in fields)
            except KeyError as error:
                raise ValueError(f'{path}: row {number} has no {error.args[0]!r}; get the table again.') from error

    def find(self, known: dict[str, Any], token: str, name: str, asked_by: str) -> Any:
        """What a token stands for."""
        if token not in known:
            raise ValueError(
                f'{self.path(asked_by)} names {token!r}, which {self.path(name)} does not have; the tables are '
                'incomplete or of different versions: get them again.'
            )
        return known[token]


def make_index(folder: str | Path, *, say: Callable[[str], None] = lambda text: None) -> dict[str, np.ndarray]:
    """Read the tables of one version and keep what a sample of a key frame needs.

    Args:
        folder (str): ``<data_root>/<version>``.
        say (Callable[[str], None]): told which table is being read.

    Returns:
        dict[str, ndarray]: for n key frames, by scene in the order of the table, then by time: ``scenes`` (s,) names;
        ``scene`` (n,) position in it; ``sample`` (n,) token; ``lidar`` (n,) and ``cameras`` (n, 6) file names;
        ``projections`` (n, 6, 3, 4) float64, LiDAR to pixels; where the version has annotations, the boxes of frame i
        are rows ``box_start[i]`` to ``box_start[i + 1]`` of ``boxes`` (B, 7) float32 and ``box_labels`` (B,) int8;
        where it has point labels, ``lidarseg`` (n,) file names and ``semantic_of`` (256,) int16; ``format`` and
        ``table_bytes``, by which :func:`read_index` knows it. Text is UTF-8 bytes.

    Raises:
        FileNotFoundError: a table is missing.
        ValueError: a table is damaged, or names a row that another lacks.
    """
    layout = 'the tables scene.json, sample.json, sample_data.json and more'
    tables = _Tables(need_folder(folder, layout, '`version` of NuScenes', SOURCE), say)
    index, sweeps, to_global = _frames(tables)
    index.update(_boxes(tables, index['sample'], to_global))
    index.update(_point_labels(tables, sweeps))
    index.update(format=np.array(_FORMAT), table_bytes=_table_bytes(tables.folder))
    return index


def _frames(tables: _Tables) -> tuple[dict[str, np.ndarray], list[str], np.ndarray]:
    """Files and projections of all key frames; the tokens of their sweeps, and where those were taken (n, 4, 4)."""
    scenes = dict(tables.rows('scene', 'token', 'name'))
    order = {token: number for number, token in enumerate(scenes)}
    samples = sorted(
        (tables.find(order, scene, 'scene', 'sample'), time, token)
        for token, scene, time in tables.rows('sample', 'token', 'scene_token', 'timestamp')
    )
    found, sensors = _sensor_data(tables, [token for _, _, token in samples])
    needed = {pose for row in found for _, _, pose, _ in row}
    ego = {
        token: (translation, rotation)
        for token, translation, rotation in tables.rows('ego_pose', 'token', 'translation', 'rotation')
        if token in needed
    }
    # Sensor to vehicle, vehicle to world; the vehicle has moved between the sweep and each of the pictures.
    used = [[sensors[sensor] for _, sensor, _, _ in row] for row in found]
    world = [[tables.find(ego, pose, 'ego_pose', 'sample_data') for _, _, pose, _ in row] for row in found]
    calibrated = tables.path('calibrated_sensor')
    inner = pose_matrix(
        _numbers([[s[1] for s in row] for row in used], (7, 3), calibrated),
        _numbers([[s[2] for s in row] for row in used], (7, 4), calibrated),
    )
    outer = pose_matrix(
        _numbers([[pose[0] for pose in row] for row in world], (7, 3), tables.path('ego_pose')),
        _numbers([[pose[1] for pose in row] for row in world], (7, 4), tables.path('ego_pose')),
    )
    lens = _numbers([[s[3] for s in row[1:]] for row in used], (6, 3, 3), calibrated)
    to_global = outer @ inner
    to_camera = np.linalg.inv(to_global[:, 1:]) @ to_global[:, :1]
    index = {
        'scenes': _text(list(scenes.values())),
        'scene': np.array([scene for scene, _, _ in samples], np.int32),
        'sample': _text([token for _, _, token in samples]),
        'lidar': _text([row[0][3] for row in found]),
        'cameras': _text([name for row in found for *_, name in row[1:]]).reshape(-1, 6),
        'projections': lens @ to_camera[..., :3, :],
    }
    return index, [row[0][0] for row in found], to_global[:, 0]


def _sensor_data(tables: _Tables, samples: list[str]) -> tuple[list[list[tuple]], dict[str, tuple]]:
    """For every key frame the row of the LiDAR and of each camera: token, sensor, ego pose, file name."""
    channels = dict(tables.rows('sensor', 'token', 'channel'))
    fields = ('token', 'sensor_token', 'translation', 'rotation', 'camera_intrinsic')
    sensors = {
        token: (tables.find(channels, sensor, 'sensor', 'calibrated_sensor'), *pose)
        for token, sensor, *pose in tables.rows('calibrated_sensor', *fields)
    }
    place = {token: row for row, token in enumerate(samples)}
    column = {channel: number for number, channel in enumerate((_LIDAR, *CAMERAS))}
    found: list[list[Any]] = [[None] * len(column) for _ in samples]
    fields = ('is_key_frame', 'sample_token', 'token', 'calibrated_sensor_token', 'ego_pose_token', 'filename')
    for key, sample, *data in tables.rows('sample_data', *fields):
        if not key:
            continue
        channel = tables.find(sensors, data[1], 'calibrated_sensor', 'sample_data')[0]
        if channel in column:
            found[tables.find(place, sample, 'sample', 'sample_data')][column[channel]] = tuple(data)
    for token, row in zip(samples, found):
        if None in row:
            raise ValueError(
                f'{tables.path("sample_data")} has no key frame of {(_LIDAR, *CAMERAS)[row.index(None)]} for sample '
                f'{token}; the tables are incomplete: get them again.'
            )
    return found, sensors


def _boxes(tables: _Tables, samples: np.ndarray, to_global: np.ndarray) -> dict[str, np.ndarray]:
    """Annotations in the frame of their sweep."""
    index = {'box_start': np.empty(0, np.int64), 'boxes': np.empty((0, 7), np.float32)}
    place = {token: row for row, token in enumerate(np.char.decode(samples).tolist())}
    rows, labels, numbers = array('q'), array('b'), array('d')
    if tables.has('sample_annotation'):
        categories = dict(tables.rows('category', 'token', 'name'))
        instances = dict(tables.rows('instance', 'token', 'category_token'))
        fields = ('sample_token', 'instance_token', 'translation', 'size', 'rotation')
        for sample, instance, *box in tables.rows('sample_annotation', *fields):
            category = tables.find(instances, instance, 'instance', 'sample_annotation')
            name = tables.find(categories, category, 'category', 'instance')
            rows.append(tables.find(place, sample, 'sample', 'sample_annotation'))
            labels.append(_CLASS_OF.get(name, -1))
            numbers.extend(_numbers([[*box[0], *box[1], *box[2]]], (10,), tables.path('sample_annotation'))[0])
    if rows:
        frame = np.frombuffer(rows, np.int64)
        by_frame = np.argsort(frame, kind='stable')
        frame, box = frame[by_frame], np.frombuffer(numbers).reshape(-1, 10)[by_frame]
        back = np.linalg.inv(to_global)[frame, :3]
        centre = np.einsum('nij,nj->ni', back[:, :, :3], box[:, :3]) + back[:, :, 3]
        along = np.einsum('nij,nj->ni', back[:, :, :3], rotation_of(box[:, 6:])[:, :, 0])
        # The tables say width, length, height; the length lies along the box's own x.
        yaw = np.arctan2(along[:, 1], along[:, 0])
        index['boxes'] = np.column_stack([centre, box[:, [4, 3, 5]], yaw]).astype(np.float32)
        index['box_start'] = np.searchsorted(frame, np.arange(len(samples) + 1))
        labels = array('b', np.frombuffer(labels, np.int8)[by_frame].tobytes())
    return {**index, 'box_labels': np.frombuffer(labels, np.int8)}


def _point_labels(tables: _Tables, sweeps: list[str]) -> dict[str, np.ndarray]:
    """Files of point labels, and what their numbers mean."""
    semantic_of = np.full(256, NO_CATEGORY, np.int16)
    if not tables.has('lidarseg'):
        return {'lidarseg': np.empty(0, 'S1'), 'semantic_of': semantic_of}
    names = dict(tables.rows('lidarseg', 'sample_data_token', 'filename'))
    for name, number in tables.rows('category', 'name', 'index'):
        semantic_of[int(number)] = _CLASS_OF.get(name, -1)
    return {'lidarseg': _text([names.get(token, '') for token in sweeps]), 'semantic_of': semantic_of}


def _numbers(values: list, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Lists of numbers as (n, *shape) float64."""
    try:
        numbers = np.array(values, np.float64).reshape(len(values), *shape)
    except (TypeError, ValueError):
        numbers = np.full(1, np.nan)
    if not np.isfinite(numbers).all():
        raise ValueError(
            f'{path}: expected numbers of shape {shape} in each row that is used, got others; the table is damaged: '
            'get it again.'
        )
    return numbers


def _text(values: list[str]) -> np.ndarray:
    return np.char.encode(np.array(values, dtype=str), 'utf-8')


def _table_bytes(folder: Path) -> np.ndarray:
    """Sizes of the tables, -1 for one that is not there: what an index is recognised by."""
    paths = [folder / f'{name}.json' for name in (*_NEEDED, *_OPTIONAL)]
    return np.array([path.stat().st_size if path.is_file() else -1 for path in paths])


def write_index(index: dict[str, np.ndarray], path: Path) -> None:
    """Write an index; a file of that name is replaced only once the new one is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'.{path.name}.part')
    with unfinished.open('wb') as file:
        np.savez(file, **index)
    os.replace(unfinished, path)


def read_index(path: Path, folder: Path, remedy: str) -> dict[str, np.ndarray]:
    """Read an index, and make sure that it belongs to the tables where these are there.

    Args:
        path (Path): what :func:`write_index` wrote.
        folder (Path): ``<data_root>/<version>``.
        remedy (str): the command that writes it.

    Returns:
        dict[str, ndarray]: as :func:`make_index` gives it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, of another format, or made from other tables.
    """
    index = read_npz(path, _ARRAYS)
    if index['format'] != _FORMAT:
        raise ValueError(f'{path} has format {index["format"]}, expected {_FORMAT}; run `{remedy}`.')
    if folder.is_dir() and not np.array_equal(index['table_bytes'], _table_bytes(folder)):
        raise ValueError(f'{path} was made from other tables than those in {folder}; run `{remedy}`.')
    return index
