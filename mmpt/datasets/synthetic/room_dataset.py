"""The generated rooms as a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from ..base import PointCloudDataset
from ..threads import one_thread
from .cache import Field, build_cache, open_cache
from .dataset import generator_version
from .rooms import FURNITURE, MAX_FURNITURE, ROOM_CLASSES, make_room
from .seeds import stream_seed

__all__ = ['SyntheticRooms']


@DATASETS.register_module()
class SyntheticRooms(PointCloudDataset):
    """Generated rooms with colours, classes, objects and boxes; room ``index`` depends on (seed, split, index) alone.

    A sample has what ScanNet has: ``points`` (N, 3) float32 (z up, metres, a corner of the floor at 0 0 0), ``colors``
    (N, 3) uint8, ``semantic`` and ``instance`` (N,) int64, ``boxes`` (K, 7) float32 and ``box_labels`` (K,) int64.
    ``ROOM_CLASSES`` are ten classes of furniture, which have boxes, then wall, floor and ceiling.

    Args:
        split (str): 'pretrain', 'train' or 'test'; no two of them ever share a room.
        size (int): number of rooms.
        num_points (int): points of a room.
        seed (int): of the rooms, and of the transforms' draws.
        cache_dir (str | None): as in :class:`~mmpt.datasets.SyntheticShapes`.
        cache_workers (int | None): processes that generate; None for one per core.
        pipeline (Sequence[dict | Callable]): see :class:`~mmpt.datasets.PointCloudDataset`, as are ``kwargs``.

    Raises:
        ValueError: an unknown split.
    """

    def __init__(
        self,
        split: str = 'train',
        *,
        size: int,
        num_points: int = 20000,
        seed: int = 0,
        cache_dir: str | None = None,
        cache_workers: int | None = None,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        self.split, self.size, self.num_points = split, size, num_points
        self.stream = stream_seed(split, seed)
        metainfo = {
            'variant': 'rooms',
            'up_axis': 'z',
            'classes': ROOM_CLASSES,
            'box_classes': tuple(FURNITURE),
            'split': split,
        }
        super().__init__(pipeline, seed=seed, metainfo=metainfo, **kwargs)
        self._arrays: dict[str, np.ndarray] | None = None
        self._folder = None if cache_dir is None else self._build_cache(Path(cache_dir), cache_workers)

    def num_shapes(self) -> int:
        """The number of rooms asked for."""
        return self.size

    def label(self, index: int) -> int | None:
        """None: a room has no class."""
        return None

    def classes_of(self, index: int) -> Iterable[int]:
        """Its furniture and what every room has; none without a cache, where it would have to be generated."""
        if self._folder is None:
            return ()
        furniture = self._open(self._folder)['box_labels'][index]
        return (*furniture[furniture >= 0].tolist(), *range(len(FURNITURE), len(ROOM_CLASSES)))

    def load_info(self, index: int) -> dict[str, Any]:
        """The generated room, from the cache where there is one."""
        if self._folder is None:
            arrays = self._make(index)
        else:
            arrays = {name: np.array(array[index]) for name, array in self._open(self._folder).items()}
        there = arrays['box_labels'] >= 0
        return {
            'sample_id': f'room-{self.split}-{self.seed}-{index:06d}',
            'split': self.split,
            'points': arrays['points'],
            'colors': arrays['colors'],
            'semantic': arrays['semantic'].astype(np.int64),
            'instance': arrays['instance'].astype(np.int64),
            'boxes': arrays['boxes'][there],
            'box_labels': arrays['box_labels'][there].astype(np.int64),
        }

    def _make(self, index: int) -> dict[str, np.ndarray]:
        with one_thread():
            arrays = make_room(self.stream, index, self.num_points)._asdict()
        # Arrays of a cache have one length: boxes that are not there are labelled -1.
        missing = MAX_FURNITURE - len(arrays['boxes'])
        arrays['boxes'] = np.pad(arrays['boxes'], ((0, missing), (0, 0)))
        arrays['box_labels'] = np.pad(arrays['box_labels'], (0, missing), constant_values=-1)
        return arrays

    def _fields(self) -> dict[str, Field]:
        count = self.num_points
        return {
            'points': Field((count, 3), 'float32'),
            'colors': Field((count, 3), 'uint8'),
            'semantic': Field((count,), 'int8'),
            'instance': Field((count,), 'int8'),
            'boxes': Field((MAX_FURNITURE, 7), 'float32'),
            'box_labels': Field((MAX_FURNITURE,), 'int8'),
        }

    def _build_cache(self, root: Path, workers: int | None) -> Path:
        about: dict[str, Any] = {
            'kind': 'rooms',
            'split': self.split,
            'seed': self.seed,
            'size': self.size,
            'num_points': self.num_points,
            'generator': generator_version(),
        }
        digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=8).hexdigest()
        folder = root / f'rooms-{self.split}-{self.size}x{self.num_points}-{digest}'
        build_cache(folder, self._fields(), self.size, self._make, about=about, workers=workers)
        return folder

    def _open(self, folder: Path) -> dict[str, np.ndarray]:
        if self._arrays is None:
            self._arrays = open_cache(folder, self._fields())
        return self._arrays

    def __getstate__(self) -> dict[str, Any]:
        # A memory map would be pickled with its contents when workers are spawned; they open the files themselves.
        return {**self.__dict__, '_arrays': None}
