"""The generated shapes as a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from ..base import PointCloudDataset
from ..threads import one_thread
from ..transforms import draw_cameras, render_views
from .cache import Field, build_cache, open_cache
from .categories import CATEGORIES, category_shape
from .composites import free_composite
from .seeds import stream_seed

__all__ = ['SyntheticShapes', 'generator_version']

_HERE = Path(__file__).parent
# Keeps the draws of the cameras apart from those of the shapes.
_CAMERA_STREAM = 0xCA3E


def generator_version() -> str:
    """A digest of the source that generates and renders, so that no cache outlives a change of it."""
    files = sorted(_HERE.rglob('*.py')) + [_HERE.parent / 'transforms' / 'rendering.py']
    files += sorted((_HERE.parents[1] / 'ops').glob('*.py'))
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@DATASETS.register_module()
class SyntheticShapes(PointCloudDataset):
    """Generated shapes with normals, parts and pictures; shape ``index`` depends on (seed, split, index) alone.

    Args:
        kind (str): 'composites', free combinations of primitives for pre-training, without labels; or 'categories',
            recognisable classes with part labels, shape i being of class ``i % len(CATEGORIES)``.
        split (str): 'pretrain', 'train' or 'test'; no two of them ever share a shape.
        size (int): number of shapes.
        num_points (int): points of a shape, (N, 3) float32 in the unit sphere, y up, in random order.
        views (int): pictures of a shape, rendered from cameras drawn per shape; 0 for none.
        image_size (int): their edge in pixels.
        azimuth (tuple[float, float]): interval of the cameras, degrees; 0 looks at the front (+z).
        elevation (tuple[float, float]): interval of the cameras, degrees above the horizon.
        seed (int): of the shapes, and of the transforms' draws.
        cache_dir (str | None): folder for the generated arrays, which are then made once, by several processes, and
            mapped into memory; None generates at every access. Both give the same samples, bit for bit.
        cache_workers (int | None): processes that generate; None for one per core.
        pipeline (Sequence[dict | Callable]): see :class:`~mmpt.datasets.PointCloudDataset`, as are ``kwargs``.

    Raises:
        ValueError: an unknown kind or split.
    """

    def __init__(
        self,
        kind: str = 'composites',
        split: str = 'pretrain',
        *,
        size: int,
        num_points: int = 2048,
        views: int = 0,
        image_size: int = 64,
        azimuth: tuple[float, float] = (0.0, 360.0),
        elevation: tuple[float, float] = (0.0, 35.0),
        seed: int = 0,
        cache_dir: str | None = None,
        cache_workers: int | None = None,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if kind not in ('composites', 'categories'):
            raise ValueError(f'SyntheticShapes(kind={kind!r}): expected composites or categories.')
        self.kind, self.split, self.size, self.num_points = kind, split, size, num_points
        self.views, self.image_size, self.azimuth, self.elevation = views, image_size, azimuth, elevation
        self.stream = stream_seed(split, seed)
        classes = tuple(category.name for category in CATEGORIES) if kind == 'categories' else None
        metainfo = {
            'variant': kind,
            'up_axis': 'y',
            'normalize': 'unit_sphere',
            'classes': classes,
            'part_names': tuple(category.part_names for category in CATEGORIES) if classes else None,
            'split': split,
        }
        super().__init__(pipeline, seed=seed, metainfo=metainfo, **kwargs)
        self._arrays: dict[str, np.ndarray] | None = None
        self._folder = None if cache_dir is None else self._build_cache(Path(cache_dir), cache_workers)

    def num_shapes(self) -> int:
        """The size asked for."""
        return self.size

    def label(self, index: int) -> int | None:
        """Classes take turns; composites have none."""
        return index % len(CATEGORIES) if self.kind == 'categories' else None

    def load_info(self, index: int) -> dict[str, Any]:
        """The generated arrays, from the cache where there is one."""
        arrays = self._make(index) if self._folder is None else self._read(index)
        info: dict[str, Any] = {
            'sample_id': f'{self.kind}-{self.split}-{self.seed}-{index:06d}',
            'split': self.split,
            'points': arrays['points'],
            'normals': arrays['normals'],
        }
        if self.kind == 'categories':
            info['label'] = self.label(index)
            info['parts'] = arrays['parts'].astype(np.int64)
        if self.views:
            info['images'], info['has_image'] = arrays['images'], np.ones(self.views, bool)
        return info

    def _make(self, index: int) -> dict[str, np.ndarray]:
        with one_thread():
            if self.kind == 'categories':
                shape = category_shape(self.stream, index, index % len(CATEGORIES), self.num_points)
            else:
                shape = free_composite(self.stream, index, self.num_points)
        arrays = {'points': shape.points, 'normals': shape.normals}
        if self.kind == 'categories':
            arrays['parts'] = shape.parts
        if self.views:
            rng = np.random.default_rng([self.stream, index, _CAMERA_STREAM])
            cameras = draw_cameras(rng, self.views, self.azimuth, self.elevation)
            arrays['images'] = render_views(shape.points, shape.normals, cameras, self.image_size)
        return arrays

    def _fields(self) -> dict[str, Field]:
        cloud = Field((self.num_points, 3), 'float32')
        fields = {'points': cloud, 'normals': cloud}
        if self.kind == 'categories':
            fields['parts'] = Field((self.num_points,), 'uint8')
        if self.views:
            fields['images'] = Field((self.views, self.image_size, self.image_size, 3), 'uint8')
        return fields

    def _build_cache(self, root: Path, workers: int | None) -> Path:
        about: dict[str, Any] = {
            'kind': self.kind,
            'split': self.split,
            'seed': self.seed,
            'size': self.size,
            'num_points': self.num_points,
            'views': [self.views, self.image_size, list(self.azimuth), list(self.elevation)] if self.views else None,
            'generator': generator_version(),
        }
        digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=8).hexdigest()
        folder = root / f'{self.kind}-{self.split}-{self.size}x{self.num_points}-{digest}'
        build_cache(folder, self._fields(), self.size, self._make, about=about, workers=workers)
        return folder

    def _read(self, index: int) -> dict[str, np.ndarray]:
        if self._arrays is None:
            assert self._folder is not None
            self._arrays = open_cache(self._folder, self._fields())
        return {name: np.array(array[index]) for name, array in self._arrays.items()}

    def __getstate__(self) -> dict[str, Any]:
        # A memory map would be pickled with its contents when workers are spawned; they open the files themselves.
        return {**self.__dict__, '_arrays': None}
