"""S3DIS: rooms of six areas of office buildings, every point with a colour and one of 13 classes."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import need_folder
from .reading import read_npy

__all__ = ['S3DIS', 'S3DIS_CLASSES']

#: The 13 classes in the order of their labels, that of PointNet's code (arXiv 1612.00593) and its successors.
S3DIS_CLASSES = (
    'ceiling',
    'floor',
    'wall',
    'beam',
    'column',
    'window',
    'door',
    'table',
    'chair',
    'sofa',
    'bookcase',
    'board',
    'clutter',
)
#: Rooms of each area in the release.
_ROOMS = {1: 44, 2: 40, 3: 23, 4: 49, 5: 68, 6: 48}
_AREAS = tuple(_ROOMS)
_ROOM = re.compile(r'Area_(?P<area>[1-6])_(?P<room>[A-Za-z]+_[0-9]+)\.npy')
_LAYOUT = 'a file Area_<k>_<room>.npy for every room'
_SOURCE = (
    'docs/datasets/s3dis.md says where the data come from, tools/dataset_converters/s3dis.py makes these files of '
    'them; configs/_base_/datasets/rooms_synthetic.py has generated rooms without a download.'
)


@DATASETS.register_module()
class S3DIS(PointCloudDataset):
    """The rooms of S3DIS (Armeni et al., CVPR 2016), version 1.2 aligned: z up, metres, the lowest corner at 0 0 0.

    Expected files, which tools/dataset_converters/s3dis.py writes from the release, and PointNet's code did before::

        <data_root>/Area_<k>_<room>.npy               (N, 7) numbers: x y z, red green blue 0..255, label 0..12
        <data_root>/instances/Area_<k>_<room>.npy     (N,) integers, the object of each point; with ``instances``

    A sample has ``points`` (N, 3) float32, ``colors`` (N, 3) uint8, ``semantic`` (N,) int64 and, with ``instances``,
    ``instance`` (N,) int64. Opening lists the folder; a room is read when it is asked for and is not kept.

    Args:
        data_root (str): the folder with the rooms.
        split (str): 'test' for the rooms of ``test_area``, 'train' for those of the other five.
        test_area (int): 1 to 6; 5 is what most papers mean by "S3DIS Area 5".
        instances (bool): read the objects as well.
        points_per_sample (int | None): None for every room once an epoch. A number for a room of N points N / number
            times, rounded, at least once: papers that train on blocks of so many points draw rooms by their size.
            Opening then reads the header of every file.
        packed (bool): ``data_root`` is a folder that tools/dataset_converters/pack.py wrote.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: the folder, or the rooms of an area, are missing; says what is expected and where it is.
        ValueError: an argument that makes no sense.
    """

    EXPECTED_COUNTS = {
        (f'v1.2 aligned, test area {area}', split): count
        for area, rooms in _ROOMS.items()
        for split, count in (('train', sum(_ROOMS.values()) - rooms), ('test', rooms))
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        test_area: int = 5,
        instances: bool = False,
        points_per_sample: int | None = None,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"S3DIS(split={split!r}): expected 'train' or 'test'.")
        if test_area not in _AREAS:
            raise ValueError(f'S3DIS(test_area={test_area!r}): expected 1 to 6.')
        if packed and points_per_sample is not None:
            raise ValueError('S3DIS(packed=True) has every room once: leave points_per_sample out, or read raw files.')
        self.data_root, self.split, self.instances, self.packed = Path(data_root), split, instances, packed
        if not packed:
            areas = [test_area] if split == 'test' else [area for area in _AREAS if area != test_area]
            self.rooms = self._list_rooms(areas)
            self._ends = list(accumulate(self._repeats(points_per_sample)))
        if points_per_sample is not None:
            self.EXPECTED_COUNTS = {}  # that many samples are nobody's count of rooms
        metainfo = {
            'variant': f'v1.2 aligned, test area {test_area}',
            'up_axis': 'z',
            'classes': S3DIS_CLASSES,
            'split': split,
        }
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def _list_rooms(self, areas: Sequence[int]) -> list[str]:
        need_folder(self.data_root, _LAYOUT, '`data_root` of S3DIS', _SOURCE)
        if self.instances:
            need_folder(self.data_root / 'instances', _LAYOUT, '`instances` of S3DIS', _SOURCE)
        found = sorted(name for name in os.listdir(self.data_root) if _ROOM.fullmatch(name))
        for area in areas:
            if not any(name.startswith(f'Area_{area}_') for name in found):
                raise FileNotFoundError(
                    f'{self.data_root.absolute()} has no room of Area {area} (`data_root` of S3DIS), expected in it '
                    f'{_LAYOUT}, of areas {", ".join(map(str, areas))}. {_SOURCE}'
                )
        return [name.removesuffix('.npy') for name in found if int(name[5]) in areas]

    def _repeats(self, points_per_sample: int | None) -> list[int]:
        if points_per_sample is None:
            return [1] * len(self.rooms)
        if points_per_sample < 1:
            raise ValueError(f'S3DIS(points_per_sample={points_per_sample!r}): expected at least 1.')
        counts = [_count_rows(self.data_root / f'{room}.npy') for room in self.rooms]
        return [max(1, round(count / points_per_sample)) for count in counts]

    def num_shapes(self) -> int:
        """Rooms, each as often as it comes in an epoch."""
        return self._ends[-1]

    def label(self, index: int) -> int | None:
        """None: a room has no class."""
        return None

    def distinct(self) -> Sequence[int]:
        """One index of every room in use."""
        indices = super().distinct()
        return indices if self.packed else list({self._place(index): index for index in indices}.values())

    def _place(self, index: int) -> int:
        return bisect_right(self._ends, index)

    def load_info(self, index: int) -> dict[str, Any]:
        """Read a room.

        Raises:
            FileNotFoundError: the room has been removed since the folder was listed.
            ValueError: the file is damaged, has other columns, or numbers that are no coordinates, colours or labels.
        """
        place = self._place(index)
        room = self.rooms[place]
        path = self.data_root / f'{room}.npy'
        array = read_npy(path)
        colors, labels = _split(array, path)
        # A room that comes several times an epoch has as many names, since a name belongs to one sample.
        first = self._ends[place - 1] if place else 0
        alone = self._ends[place] - first == 1
        info = {
            'sample_id': room if alone else f'{room}/{index - first}',
            'split': self.split,
            'points': np.ascontiguousarray(array[:, :3], np.float32),
            'colors': colors,
            'semantic': labels,
        }
        if self.instances:
            info['instance'] = _read_instances(self.data_root / 'instances' / f'{room}.npy', len(array))
        return info


def _split(array: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Check the rows of a room; colours (N, 3) uint8 and labels (N,) int64 of it."""
    if array.ndim != 2 or array.shape[1] != 7 or array.dtype.kind not in 'fiu':
        raise ValueError(
            f'expected (N, 7) numbers in {path}, x y z, red green blue, label, got {array.shape} of {array.dtype}; '
            'make the file again with tools/dataset_converters/s3dis.py.'
        )
    if len(array) == 0:
        raise ValueError(f'expected at least one point in {path}, got none; make the file again.')
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).any(axis=1).sum())
        raise ValueError(
            f'expected finite numbers in {path}, got NaN or infinity in {bad} of {len(array)} rows; make the file '
            'again.'
        )
    colors, labels = np.ascontiguousarray(array[:, 3:6]), np.ascontiguousarray(array[:, 6])
    low, high = colors.min(), colors.max()
    if low < 0 or high > 255 or 0 < high <= 1:
        raise ValueError(
            f'expected colours from 0 to 255 in columns 4 to 6 of {path}, got {low:g} to {high:g}; the file was made '
            'by other code: make it again with tools/dataset_converters/s3dis.py.'
        )
    wrong = (labels < 0) | (labels >= len(S3DIS_CLASSES)) | (labels != np.floor(labels))
    if wrong.any():
        raise ValueError(
            f'expected labels 0 to {len(S3DIS_CLASSES) - 1} in column 7 of {path}, got {labels[wrong][0]:g} in '
            f'{int(wrong.sum())} of {len(array)} rows; make the file again.'
        )
    return np.rint(colors).astype(np.uint8), labels.astype(np.int64)


def _read_instances(path: Path, count: int) -> np.ndarray:
    array = read_npy(path)
    if array.shape != (count,) or array.dtype.kind not in 'iu':
        raise ValueError(
            f'expected ({count},) integers in {path}, one for each point of the room, got {array.shape} of '
            f'{array.dtype}; make rooms and instances together with tools/dataset_converters/s3dis.py.'
        )
    return array.astype(np.int64)


def _count_rows(path: Path) -> int:
    """Rows of an array, from the header of its file."""
    try:
        shape = np.load(path, mmap_mode='r', allow_pickle=False).shape
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f'{path} is not a whole .npy array of numbers ({error}); make the file again.') from error
    return shape[0] if shape else 0
