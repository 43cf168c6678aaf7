"""Key frames of nuScenes: a LiDAR sweep, six pictures, calibration with the vehicle's motion, boxes, point labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .lidar import read_rows
from .nuscenes_tables import CAMERAS, CLASSES, NO_CATEGORY, SOURCE, make_index, read_index
from .paths import inside, need_file, need_folder, read_lines

__all__ = ['NuScenes', 'scenes_of']

# The official lists, as numbers of scenes: v1.0-trainval is split into these 150 and the other 700, v1.0-mini into
# these two and the other eight; v1.0-test is one part.
_VAL = (
    '3 12-18 35-36 38-39 92-110 221 268-278 329-332 344-346 519-524 552-565 625-627 629-630 632-638 770-771 775 '
    '777-778 780-784 794-800 802 904-917 919-931 962-963 966-969 971-972 1059-1073'
)
_MINI_VAL = '103 916'
_SPLITS = {'v1.0-trainval': ('train', 'val'), 'v1.0-mini': ('train', 'val'), 'v1.0-test': ('test',)}
# sample_data.json of v1.0-mini has 31,206 rows, that of v1.0-trainval 2,631,083: too much for every process to read.
_LARGEST_TABLE = 64 * 2**20


@DATASETS.register_module()
class NuScenes(PointCloudDataset):
    """Key frames of nuScenes (arXiv 1903.11027): 28,130 for training, 6,019 for validation, 6,008 for testing.

    Expected files::

        <data_root>/<version>/{scene,sample,sample_data,ego_pose,calibrated_sensor,sensor,...}.json
        <data_root>/samples/LIDAR_TOP/*.pcd.bin    rows x y z intensity ring, float32
        <data_root>/samples/CAM_*/*.jpg            six cameras, 1600 x 900
        <data_root>/lidarseg/<version>/*.bin       a number for every point, for ``semantic``

    The tables of v1.0-trainval are far too large to be read by every process; ``tools/dataset_converters/nuscenes.py``
    reads them once and writes the index ``<data_root>/mmpt_<version>.npz``. Those of v1.0-mini are read as they are.

    A sample has ``points`` (N, 3) float32 in the frame of the LiDAR at the time of the sweep (metres; x to the right, y
    forward, z up), ``intensity`` (N,) float32 in 0..255, ``image_paths`` in the order of ``cameras`` and
    ``projections`` (V, 3, 4) float64, one for each: from the LiDAR to the vehicle when the sweep was taken, to the
    world, to the vehicle when the picture was taken, to the camera, to pixels. Times (x, y, z, 1) it gives (u w, v w,
    w), where (u, v) is the place in the picture as stored, in pixels from the centre of the first one, and w the
    distance in front of the camera in metres. Annotated frames have ``boxes`` (K, 7) in the frame of the LiDAR, upright
    there (an annotation leans with the road, by a degree or so), also those that no point lies in; and ``box_labels``
    (K,): positions in ``metainfo['classes']``, whose first ten are the classes of the detection benchmark, or -1 for a
    category that it leaves out. ``semantic`` (N,) int64 are the 16 classes of the lidarseg benchmark, -1 for what it
    ignores.

    Args:
        data_root (str): the folder of the release; packed: what pack.py wrote.
        split (str): 'train' or 'val'; 'test' for v1.0-test.
        version (str): 'v1.0-trainval', 'v1.0-mini' or 'v1.0-test'.
        cameras (Sequence[str]): which cameras, in which order.
        scenes (str | Sequence[str] | None): names of scenes that take the place of the official split, or a text file
            with one a line.
        scene_step (int): every so manieth scene of the split alone, in the order of the table: 100 for 1 % of them.
        boxes (bool): give boxes where the version has them.
        semantic (bool): give the point labels of lidarseg, which is a download of its own.
        index (str | None): the index, if it does not lie in ``data_root``.
        packed (bool): read shards.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a folder, a table or a file of a frame is missing.
        ValueError: the split is none of the version, a scene or a token is in no table, a table is too large to be read
            without an index, a file is damaged.
    """

    EXPECTED_COUNTS = {
        ('v1.0-trainval', 'train'): 28130,
        ('v1.0-trainval', 'val'): 6019,
        ('v1.0-test', 'test'): 6008,
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        version: str = 'v1.0-trainval',
        cameras: Sequence[str] = CAMERAS,
        scenes: str | Sequence[str] | None = None,
        scene_step: int = 1,
        boxes: bool = True,
        semantic: bool = False,
        index: str | None = None,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if version not in _SPLITS or split not in _SPLITS[version]:
            known = '; '.join(f'{name} has {" and ".join(splits)}' for name, splits in _SPLITS.items())
            raise ValueError(f'NuScenes(version={version!r}, split={split!r}): {known}.')
        if not cameras or not set(cameras) <= set(CAMERAS):
            raise ValueError(f'NuScenes(cameras={list(cameras)}): expected some of {", ".join(CAMERAS)}.')
        self.split, self.version, self.boxes, self.semantic = split, version, boxes, semantic
        if scenes is not None or scene_step != 1:
            self.EXPECTED_COUNTS = {}
        self.views = [CAMERAS.index(camera) for camera in cameras]
        if not packed:
            self.root = need_folder(data_root, f'{version}/*.json and samples/', '`data_root` of NuScenes', SOURCE)
            self.table = self._open_index(index)
            if semantic and not len(self.table['lidarseg']):
                raise ValueError(
                    f'NuScenes(semantic=True): {self.root / version} has no lidarseg.json; unpack nuScenes-lidarseg '
                    f'over it, category.json included, and make the index again if there is one. {SOURCE}'
                )
            self.rows = self._choose(scenes, scene_step)
        super().__init__(
            pipeline,
            metainfo={
                'variant': version,
                'up_axis': 'z',
                'classes': CLASSES,
                'split': split,
                'cameras': tuple(cameras),
            },
            packed_root=data_root if packed else None,
            **kwargs,
        )

    def _open_index(self, given: str | None) -> dict[str, np.ndarray]:
        folder = self.root / self.version
        path = self.root / f'mmpt_{self.version}.npz' if given is None else Path(given)
        remedy = f'python tools/dataset_converters/nuscenes.py {self.root} --version {self.version}'
        if given is not None or path.is_file():
            return read_index(path, folder, remedy if given is None else f'{remedy} --out {path}')
        largest = need_file(folder / 'sample_data.json', 'a table of nuScenes', '`version` of NuScenes', SOURCE)
        if largest.stat().st_size > _LARGEST_TABLE:
            raise ValueError(
                f'{largest} has {largest.stat().st_size / 2**20:,.0f} MiB, too much for every process to read; run '
                f'`{remedy}` once, which writes {path}.'
            )
        return make_index(folder)

    def _choose(self, scenes: str | Sequence[str] | None, step: int) -> np.ndarray:
        """Rows of the index that belong to the split."""
        names = np.char.decode(self.table['scenes']).tolist()
        if scenes is None:
            wanted = scenes_of(self.version, self.split, names)
            if not wanted:
                raise ValueError(
                    f'{self.root / self.version} has no scene of {self.split!r} among its {len(names)}; choose another '
                    'split, or name scenes with `scenes`.'
                )
        else:
            wanted = _named_scenes(scenes, names, self.root / self.version)
        if step < 1:
            raise ValueError(f'NuScenes(scene_step={step}): expected 1 or more.')
        chosen = [number for number, name in enumerate(names) if name in set(wanted)][step - 1 :: step]
        if not chosen:
            raise ValueError(f'NuScenes(scene_step={step}): the split has {len(wanted)} scenes, so nothing is left.')
        return np.flatnonzero(np.isin(self.table['scene'], chosen))

    def num_shapes(self) -> int:
        """Key frames of the split."""
        return len(self.rows)

    def label(self, index: int) -> int | None:
        """None: a frame as a whole has no class."""
        return None

    def load_info(self, index: int) -> dict[str, Any]:
        """Sweep, projections, boxes, point labels and the places of the pictures."""
        table, row = self.table, int(self.rows[index])
        lidar = self._file(table['lidar'][row])
        sweep = read_rows(lidar, 5, 'x y z intensity ring')
        info: dict[str, Any] = {
            'sample_id': table['sample'][row].decode(),
            'split': self.split,
            'points': np.ascontiguousarray(sweep[:, :3]),
            'intensity': np.ascontiguousarray(sweep[:, 3]),
            'image_paths': [str(self._file(table['cameras'][row, view])) for view in self.views],
            'projections': table['projections'][row, self.views],
        }
        if self.boxes and len(table['box_start']):
            own = slice(table['box_start'][row], table['box_start'][row + 1])
            info['boxes'] = table['boxes'][own].copy()
            info['box_labels'] = table['box_labels'][own].astype(np.int64)
        if self.semantic:
            info['semantic'] = self._point_labels(row, len(sweep), lidar)
        return info

    def _file(self, name: bytes) -> Path:
        return inside(self.root, name.decode(), f'sample_data.json of {self.version}')

    def _point_labels(self, row: int, count: int, lidar: Path) -> np.ndarray:
        name = self.table['lidarseg'][row]
        if not name:
            raise ValueError(
                f'{self.root / self.version / "lidarseg.json"} has no point labels for {lidar}; it is incomplete: '
                'get nuScenes-lidarseg again.'
            )
        path = inside(self.root, name.decode(), f'lidarseg.json of {self.version}')
        numbers = read_rows(path, 1, 'a label of one byte', np.uint8)[:, 0]
        if len(numbers) != count:
            raise ValueError(
                f'{path} has {len(numbers)} labels, expected one for each of the {count} points of {lidar}; get '
                'nuScenes-lidarseg again.'
            )
        semantic = self.table['semantic_of'][numbers].astype(np.int64)
        if (semantic == NO_CATEGORY).any():
            raise ValueError(
                f'{path} holds label {numbers[semantic == NO_CATEGORY][0]}, which no category of category.json has; '
                'get nuScenes-lidarseg again.'
            )
        return semantic


def scenes_of(version: str, split: str, names: Sequence[str]) -> list[str]:
    """The scenes of an official split.

    Args:
        version (str): 'v1.0-trainval', 'v1.0-mini' or 'v1.0-test'.
        split (str): 'train', 'val' or 'test'.
        names (Sequence[str]): the scenes that the tables have.

    Returns:
        list[str]: those of the split, in the given order.
    """
    if split == 'test':
        return list(names)
    held_out = set(_scene_names(_MINI_VAL if version == 'v1.0-mini' else _VAL))
    return [name for name in names if (name in held_out) == (split == 'val')]


def _scene_names(ranges: str) -> list[str]:
    ends = [[int(end) for end in part.split('-')] for part in ranges.split()]
    return [f'scene-{number:04d}' for first, *last in ends for number in range(first, (last or [first])[0] + 1)]


def _named_scenes(scenes: str | Sequence[str], names: list[str], folder: Path) -> list[str]:
    if isinstance(scenes, (str, os.PathLike)):
        lines = read_lines(scenes, 'one name such as scene-0061 a line', '`scenes` of NuScenes', SOURCE)
        asked = [(f'{scenes}, line {number}', name) for number, name in lines]
    else:
        asked = [('`scenes` of NuScenes', name) for name in scenes]
    for where, name in asked:
        if name not in names:
            raise ValueError(f'{where}: {folder / "scene.json"} has no {name!r}; correct the name or the version.')
    return [name for _, name in asked]
