"""ScanNet v2: reconstructed rooms with colours, classes, objects and boxes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import inside, need_folder, read_lines
from .reading import read_npz
from .scannet_mmdet3d import read_infos, read_scene
from .scannet_tables import SCANNET18, SCANNET20, nyu40_to_class

__all__ = ['ScanNet']

_VARIANTS = {'seg20': SCANNET20, 'det18': SCANNET18}
_LAYOUTS = ('npz', 'mmdet3d')
_SPLITS = ('train', 'val', 'test')
_SCENE = re.compile(r'scene[0-9]{4}_[0-9]{2}')
_WHO = '`data_root` of ScanNet'
_SOURCE = (
    'docs/datasets/scannet.md says where the data come from, tools/dataset_converters/scannet.py makes these files of '
    'them; configs/_base_/datasets/rooms_synthetic.py has generated rooms without a download.'
)
_INPUTS = ('points', 'colors', 'normals', 'axis_align')
_LABELS = ('semantic', 'instance', 'boxes', 'box_labels')


@DATASETS.register_module()
class ScanNet(PointCloudDataset):
    """The scenes of ScanNet v2 (Dai et al., CVPR 2017, arXiv 1702.04405): the vertices of its meshes, z up, metres.

    Expected files, which tools/dataset_converters/scannet.py writes from the release::

        <data_root>/scannetv2_{train,val,test}.txt    lines scene0000_00
        <data_root>/scenes/scene0000_00.npz           points, colors, normals, axis_align; but for test also semantic
                                                      (NYU40 ids), instance, boxes, box_labels

    or with ``layout='mmdet3d'`` what MMDetection3D 1.x converts (no normals)::

        <data_root>/scannet_infos_{train,val,test}.pkl
        <data_root>/{points,semantic_mask,instance_mask}/scene0000_00.bin

    A sample has ``points`` (N, 3) float32, ``colors`` (N, 3) uint8, ``normals`` (N, 3) float32 (``layout='npz'``) and,
    but for the test split, whose labels nobody has, ``semantic`` (N,) int64 with -1 for what is none of the classes and
    ``instance`` (N,) int64, the object of each point, walls and floors among them, -1 for none.

    ``variant='seg20'`` is the segmentation benchmark: 20 classes, points in the frame of the release.
    ``variant='det18'`` is what detection papers use: 18 classes, points turned about z into the frame whose axes are
    those of the room, and ``boxes`` (K, 7) float32, yaw 0, with ``box_labels`` (K,) int64, -1 for an unknown class.

    Opening reads a list; a scene is read when it is asked for and is not kept.

    Args:
        data_root (str): the folder.
        split (str): 'train' (1,201 scenes), 'val' (312) or 'test' (100).
        variant (str): 'seg20' or 'det18'.
        layout (str): 'npz' or 'mmdet3d'.
        packed (bool): ``data_root`` is a folder that tools/dataset_converters/pack.py wrote.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a folder, a list or the infos are missing; says what is expected where.
        ValueError: an argument that makes no sense, a line of a list that is no scene.
    """

    EXPECTED_COUNTS = {
        (f'v2, {variant}', split): count
        for variant in _VARIANTS
        for split, count in (('train', 1201), ('val', 312), ('test', 100))
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        variant: str = 'seg20',
        layout: str = 'npz',
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        for name, value, known in (
            ('split', split, _SPLITS),
            ('variant', variant, tuple(_VARIANTS)),
            ('layout', layout, _LAYOUTS),
        ):
            if value not in known:
                raise ValueError(f'ScanNet({name}={value!r}): expected one of {", ".join(map(repr, known))}.')
        self.data_root, self.split, self.variant, self.layout = Path(data_root), split, variant, layout
        self._class_of = nyu40_to_class(_VARIANTS[variant])
        if not packed:
            self.scenes = self._list_npz() if layout == 'npz' else self._list_mmdet3d()
        metainfo = {
            'variant': f'v2, {variant}',
            'up_axis': 'z',
            'classes': tuple(_VARIANTS[variant]),
            'split': split,
        }
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def _list_npz(self) -> list[Path]:
        need_folder(self.data_root, 'scannetv2_{train,val,test}.txt and scenes/<scene>.npz', _WHO, _SOURCE)
        folder = need_folder(self.data_root / 'scenes', '<scene>.npz', _WHO, _SOURCE)
        path = self.data_root / f'scannetv2_{self.split}.txt'
        return [
            inside(folder, f'{scene}.npz', f'{path}, line {number}')
            for number, scene in read_scene_list(path, _WHO, _SOURCE)
        ]

    def _list_mmdet3d(self) -> list[Any]:
        layout = 'scannet_infos_{train,val,test}.pkl and {points,semantic_mask,instance_mask}/<scene>.bin'
        return read_infos(need_folder(self.data_root, layout, _WHO, _SOURCE), self.split, _SOURCE)

    def num_shapes(self) -> int:
        """Scenes of the split."""
        return len(self.scenes)

    def label(self, index: int) -> int | None:
        """None: a scene has no class."""
        return None

    def classes_of(self, index: int) -> Iterable[int]:
        """Classes of its boxes; none for segmentation, where every point would have to be read."""
        if self.variant != 'det18' or self.split == 'test':
            return ()
        if not hasattr(self, 'scenes'):
            return self.load_info(index)['box_labels']
        scene = self.scenes[index]
        return read_npz(scene, ('box_labels',))['box_labels'] if self.layout == 'npz' else scene.box_labels

    def load_info(self, index: int) -> dict[str, Any]:
        """Read a scene.

        Raises:
            FileNotFoundError: the scene is in the list, but its files are not there.
            ValueError: a file is damaged, or its arrays do not fit together.
        """
        scene = self.scenes[index]
        if self.layout == 'npz':
            name, path = scene.stem, scene
            arrays = self._read_npz(path)
        else:
            name, path = scene.name, scene.points
            arrays = read_scene(scene)
        _check(arrays, path)
        info = {'sample_id': name, 'split': self.split}
        for key, dtype in (('points', np.float32), ('normals', np.float32), ('colors', np.uint8)):
            if key in arrays:
                info[key] = np.ascontiguousarray(arrays[key], dtype)
        if 'semantic' in arrays:
            info['semantic'] = self._class_of[arrays['semantic']]
            info['instance'] = arrays['instance'].astype(np.int64)
        if self.variant == 'det18':
            self._align(info, arrays)
        return info

    def _read_npz(self, path: Path) -> dict[str, np.ndarray]:
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} does not exist, but the list of the {self.split} scenes names it; convert the rest with '
                'tools/dataset_converters/scannet.py, or correct the list.'
            )
        return read_npz(path, _INPUTS if self.split == 'test' else (*_INPUTS, *_LABELS))

    @staticmethod
    def _align(info: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        turn, shift = arrays['axis_align'][:3, :3], arrays['axis_align'][:3, 3]
        info['points'] = (info['points'] @ turn.T + shift).astype(np.float32)
        if 'normals' in info:
            info['normals'] = (info['normals'] @ turn.T).astype(np.float32)
        if 'boxes' in arrays:
            info['boxes'] = arrays['boxes'].astype(np.float32)
            info['box_labels'] = arrays['box_labels'].astype(np.int64)


def read_scene_list(path: Path, who: str, source: str) -> list[tuple[int, str]]:
    """Read a list of scenes.

    Returns:
        list[tuple[int, str]]: number of the line, name of the scene.

    Raises:
        FileNotFoundError: there is no list.
        ValueError: it is empty, or a line is not the name of a scene.
    """
    lines = read_lines(path, 'one scene<space>_<scan> a line', who, source)
    for number, line in lines:
        if _SCENE.fullmatch(line) is None:
            raise ValueError(
                f'{path}, line {number}: expected the name of a scene such as scene0000_00, got {line!r}; a path that '
                'leads anywhere else is refused: correct the list.'
            )
    return lines


def _check(arrays: dict[str, np.ndarray], path: Path) -> None:
    points = arrays['points']
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
        bad = f'{int((~np.isfinite(points)).sum())} of them NaN or infinite'
        raise ValueError(f'expected points (N, 3), all finite, in {path}, got {points.shape}, {bad}; convert it again.')
    shapes = {
        'colors': (len(points), 3),
        'normals': (len(points), 3),
        'semantic': (len(points),),
        'instance': (len(points),),
        'axis_align': (4, 4),
    }
    if 'boxes' in arrays:
        shapes.update(boxes=(len(arrays['box_labels']), 7), box_labels=(arrays['boxes'].shape[0],))
    for key, shape in shapes.items():
        if key in arrays and arrays[key].shape != shape:
            raise ValueError(f'expected {key} {shape} in {path}, got {arrays[key].shape}; convert it again.')
    ranges = {'colors': (0, 255), 'semantic': (0, 40), 'instance': (-1, None), 'box_labels': (-1, len(SCANNET18) - 1)}
    for key, (low, high) in ranges.items():
        values = arrays.get(key)
        if values is None or values.size == 0:
            continue
        if values.min() < low or (high is not None and values.max() > high):
            raise ValueError(
                f'expected {key} {low} to {"any number" if high is None else high} in {path}, got {values.min():g} to '
                f'{values.max():g}; convert it again.'
            )
    for key in ('axis_align', 'normals', 'boxes'):
        if key in arrays and not np.isfinite(arrays[key]).all():
            raise ValueError(f'expected finite numbers in {key} of {path}, got NaN or infinity; convert it again.')
