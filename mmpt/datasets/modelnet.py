"""ModelNet40 and ModelNet10: resampled clouds with normals, as text files or in Point-BERT's cache, and h5 files."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import inside, need_file, need_folder, read_lines
from .reading import read_pickle, read_table
from .rowmap import RowMap, read_h5_rows

__all__ = ['MODELNET40', 'ModelNet']

#: The classes of ModelNet40 in the order of their labels.
MODELNET40 = (
    'airplane', 'bathtub', 'bed', 'bench', 'bookshelf', 'bottle', 'bowl', 'car', 'chair', 'cone', 'cup', 'curtain',
    'desk', 'door', 'dresser', 'flower_pot', 'glass_box', 'guitar', 'keyboard', 'lamp', 'laptop', 'mantel',
    'monitor', 'night_stand', 'person', 'piano', 'plant', 'radio', 'range_hood', 'sink', 'sofa', 'stairs', 'stool',
    'table', 'tent', 'toilet', 'tv_stand', 'vase', 'wardrobe', 'xbox',
)  # fmt: skip
_SPLITS = ('train', 'test')
# One path component that cannot climb.
_LINE = re.compile(r'[A-Za-z0-9_]+')
_WHO = '`data_root` of ModelNet'
_SOURCE = (
    'docs/datasets/modelnet.md says where the data come from; configs/_base_/datasets/categories_val.py is generated '
    'and needs no download.'
)


@DATASETS.register_module()
class ModelNet(PointCloudDataset):
    """ModelNet (Wu et al., CVPR 2015, arXiv 1406.5670) as clouds, in the two forms that papers use.

    ``variant='normal_resampled'``, of PointNet++ (arXiv 1706.02413); 9,843 + 2,468 shapes of ModelNet40::

        <data_root>/modelnet40_shape_names.txt            one class a line; the line's place is the label
        <data_root>/modelnet40_{train,test}.txt           lines <class>_NNNN
        <data_root>/<class>/<class>_NNNN.txt              10,000 rows x,y,z,nx,ny,nz
        <data_root>/modelnet40_{train,test}_8192pts_fps.dat   in place of the text files, from Point-BERT (arXiv
                                                          2111.14819): 8,192 rows each, drawn by farthest point sampling

    and the same with ``modelnet10_`` for ``categories=10``. ``variant='hdf5_2048'``, of PointNet (arXiv 1612.00593);
    9,840 + 2,468 shapes of ModelNet40, in the unit sphere::

        <data_root>/ply_data_{train,test}<k>.h5           data (n, 2048, 3), label (n, 1), normal (n, 2048, 3)
        <data_root>/{train,test}_files.txt                optional; which of them there should be
        <data_root>/shape_names.txt                       optional

    These files are taken in the order of their number k, whatever the order of the list. Samples have ``points`` (N, 3)
    float32 and, except from h5 files without 'normal', ``normals`` (N, 3) float32; y is up: both releases are rotated
    about y by their authors' "up direction" augmentation.

    The rows of a ``.dat`` file are in the order in which farthest point sampling took them, so that its first 1,024
    rows are the sample of 1,024; the samples say so by ``farthest_first``. Those of text and h5 files have no order
    that is known. ``metainfo['source']`` says which was read: 'fps_8192', 'text' or 'h5'.

    A ``.dat`` and an h5 file are laid out for reading by row once, into ``<file>.mapped`` (see
    :class:`~mmpt.datasets.rowmap.RowMap`); a ``.dat`` is unpickled without running code from it.

    Args:
        data_root (str): the folder ``modelnet40_normal_resampled`` or ``modelnet40_ply_hdf5_2048``; packed: what
            pack.py wrote.
        split (str): 'train' or 'test'.
        variant (str): 'normal_resampled' or 'hdf5_2048'.
        categories (int): 40 or 10; 10 has no h5 files.
        source (str): of 'normal_resampled': 'text', 'fps_8192', or 'auto': the ``.dat`` files where those of both
            splits are there, so that train and test are never drawn in different ways.
        cache_dir (str | None): where ``<file>.mapped`` goes; None for beside the file.
        packed (bool): read shards.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: the root, a list or a file is missing.
        ValueError: an unknown argument; the other release; a list that names something else; a file that is damaged,
            holds something else or does not fit the list.
    """

    #: (variant, split) -> shapes, for tools/verify_dataset.py.
    EXPECTED_COUNTS = {
        ('modelnet40_normal_resampled', 'train'): 9843,
        ('modelnet40_normal_resampled', 'test'): 2468,
        ('modelnet40_hdf5_2048', 'train'): 9840,
        ('modelnet40_hdf5_2048', 'test'): 2468,
        ('modelnet10_normal_resampled', 'train'): 3991,
        ('modelnet10_normal_resampled', 'test'): 908,
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        variant: str = 'normal_resampled',
        categories: int = 40,
        source: str = 'auto',
        cache_dir: str | None = None,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        _check_arguments(split, variant, categories, source)
        self.data_root, self.split, self.categories, self.cache_dir = Path(data_root), split, categories, cache_dir
        # What load_info reads: text files (neither), one map per h5 file, or one of the .dat file.
        self.items: list[tuple[str, int]] = []
        self.maps: list[RowMap] = []
        metainfo = {'variant': f'modelnet{categories}_{variant}', 'up_axis': 'y', 'split': split}
        if variant == 'hdf5_2048':
            metainfo['normalize'] = 'unit_sphere'
        if not packed:
            open_files = self._open_h5 if variant == 'hdf5_2048' else self._open_resampled
            metainfo['classes'], metainfo['source'] = open_files(source)
        self._ends = list(accumulate(map(len, self.maps)))
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def num_shapes(self) -> int:
        """Lines of the list, or rows of the h5 files."""
        return len(self.items) or self._ends[-1]

    def label(self, index: int) -> int:
        """The place of the class in ``metainfo['classes']``."""
        if self.items:
            return self.items[index][1]
        rows, row = self._locate(index)
        return int(rows.labels[row])

    def load_info(self, index: int) -> dict[str, Any]:
        """The cloud, its normals and its label."""
        rows, row = self._locate(index) if self.maps else (None, index)
        sample_id = self.items[index][0] if self.items else f'{rows.source.stem}-{row:04d}'
        info: dict[str, Any] = {'sample_id': sample_id, 'split': self.split, 'label': self.label(index)}
        if rows is None:
            info.update(_read_text(self.data_root / sample_id.rpartition('_')[0] / f'{sample_id}.txt'))
            return info
        if not 0 <= info['label'] < self.categories:
            raise ValueError(
                f'{rows.source}, row {row} has label {info["label"]}, expected 0 to {self.categories - 1}; this is not '
                'the release, or it is damaged: download the file again.'
            )
        info['points'] = rows.row('points', row)
        if self._metainfo['source'] == 'fps_8192':
            info['farthest_first'] = True
        if 'normals' in rows.keys:
            info['normals'] = rows.row('normals', row)
        return info

    def _locate(self, index: int) -> tuple[RowMap, int]:
        part = bisect_right(self._ends, index)
        return self.maps[part], index - (self._ends[part - 1] if part else 0)

    def _open_resampled(self, source: str) -> tuple[tuple[str, ...], str]:
        need_folder(
            self.data_root,
            f'modelnet{self.categories}_{{shape_names,train,test}}.txt and <class>/<class>_NNNN.txt, or '
            f'modelnet{self.categories}_{{train,test}}_8192pts_fps.dat',
            _WHO,
            _SOURCE,
        )
        prefix = f'modelnet{self.categories}'
        if not (self.data_root / f'{prefix}_shape_names.txt').exists() and any(self.data_root.glob('ply_data_*.h5')):
            raise ValueError(
                f"{self.data_root} holds the h5 files of the other release; set variant='hdf5_2048' of ModelNet, or "
                'name the folder modelnet40_normal_resampled: accuracies on the two do not compare.'
            )
        classes = self._read_classes(self.data_root / f'{prefix}_shape_names.txt')
        list_file = self.data_root / f'{prefix}_{self.split}.txt'
        self.items = _read_items(list_file, classes)
        dats = {name: self.data_root / f'{prefix}_{name}_8192pts_fps.dat' for name in _SPLITS}
        if source == 'text' or (source == 'auto' and not all(path.is_file() for path in dats.values())):
            return classes, 'text'
        need_file(dats[self.split], 'the 8,192 farthest points of every shape', '`source` of ModelNet', _SOURCE)
        rows = RowMap(dats[self.split], _read_dat, self.cache_dir)
        _check_against_list(rows, self.items, list_file, classes)
        self.maps = [rows]
        return classes, 'fps_8192'

    def _open_h5(self, source: str) -> tuple[tuple[str, ...], str]:
        need_folder(self.data_root, 'ply_data_{train,test}<k>.h5', _WHO, _SOURCE)
        names = self.data_root / 'shape_names.txt'
        classes = self._read_classes(names) if names.is_file() else MODELNET40
        self.maps = [RowMap(path, _read_h5, self.cache_dir) for path in _h5_files(self.data_root, self.split)]
        return classes, 'h5'

    def _read_classes(self, path: Path) -> tuple[str, ...]:
        classes = tuple(text for _, text in read_lines(path, 'one class name a line', _WHO, _SOURCE))
        if len(set(classes)) != len(classes) or len(classes) != self.categories:
            raise ValueError(
                f'{path} has {len(classes)} class names, {len(set(classes))} of them different, expected '
                f'{self.categories}; set `categories` of ModelNet, or download the file again.'
            )
        return classes


def _check_arguments(split: str, variant: str, categories: int, source: str) -> None:
    said = f'ModelNet(split={split!r}, variant={variant!r}, categories={categories!r}, source={source!r})'
    if split not in _SPLITS or variant not in ('normal_resampled', 'hdf5_2048') or categories not in (10, 40):
        raise ValueError(
            f"{said}: expected split 'train' or 'test', variant 'normal_resampled' or 'hdf5_2048', categories 40 or 10."
        )
    if source not in ('auto', 'text', 'fps_8192'):
        raise ValueError(f"{said}: expected source 'auto', 'text' or 'fps_8192'.")
    if variant == 'hdf5_2048' and (categories != 40 or source != 'auto'):
        raise ValueError(f'{said}: hdf5_2048 exists for 40 categories only, and its source is not chosen.')


def _read_items(list_file: Path, classes: tuple[str, ...]) -> list[tuple[str, int]]:
    """Sample id and label of every line."""
    labels = {name: label for label, name in enumerate(classes)}
    items = []
    for number, line in read_lines(list_file, 'one <class>_NNNN a line', _WHO, _SOURCE):
        name = line.rpartition('_')[0]
        if not _LINE.fullmatch(line) or name not in labels:
            where = f'{list_file}, line {number}'
            inside(list_file.parent, line, where)
            raise ValueError(
                f'{where}: expected <class>_NNNN with a class of modelnet{len(classes)}_shape_names.txt, got {line!r}; '
                'list and class names are of different releases, or the line is damaged.'
            )
        items.append((line, labels[name]))
    return items


def _read_text(path: Path) -> dict[str, np.ndarray]:
    table = read_table(path, columns=6, delimiter=',')
    if not np.isfinite(table).all():
        bad = int((~np.isfinite(table)).any(axis=1).sum())
        raise ValueError(
            f'{path}: expected finite numbers, got NaN or infinity in {bad} of {len(table)} rows; download the file '
            'again or remove its line from the list.'
        )
    return {'points': np.ascontiguousarray(table[:, :3]), 'normals': np.ascontiguousarray(table[:, 3:])}


def _read_dat(path: Path) -> dict[str, list[np.ndarray]]:
    """Point-BERT's pickle: [clouds (P, 6) float32, labels (1,) int32]."""
    content = read_pickle(path)
    expected = 'a list of clouds (P, 6) and a list of labels, one each, as Point-BERT writes them'
    if not (
        isinstance(content, (list, tuple)) and len(content) == 2 and all(isinstance(part, list) for part in content)
    ):
        raise ValueError(f'{path}: expected {expected}, got {type(content).__name__}; download the file again.')
    clouds, labels = content
    if len(clouds) != len(labels) or not clouds:
        raise ValueError(f'{path}: expected {expected}, got {len(clouds)} clouds and {len(labels)} labels.')
    shape = np.shape(clouds[0])
    for row, (cloud, label) in enumerate(zip(clouds, map(np.asarray, labels))):
        good = isinstance(cloud, np.ndarray) and cloud.dtype.kind == 'f' and cloud.shape == shape
        if not good or cloud.ndim != 2 or cloud.shape[1] != 6 or label.size != 1 or label.dtype.kind not in 'iu':
            raise ValueError(
                f'{path}, row {row}: expected {expected}, all of one size, got {np.shape(cloud)} and a label '
                f'{label.shape} {label.dtype}; download the file again.'
            )
    return {
        'points': [cloud[:, :3] for cloud in clouds],
        'normals': [cloud[:, 3:] for cloud in clouds],
        'label': [np.asarray(label, np.int64).reshape(()) for label in labels],
    }


def _check_against_list(rows: RowMap, items: list[tuple[str, int]], list_file: Path, classes: tuple[str, ...]) -> None:
    """The ``.dat`` names nothing: that its rows are the lines of the list shows in their number and classes."""
    if len(rows) != len(items):
        raise ValueError(
            f'{rows.source} has {len(rows)} shapes, but {list_file} has {len(items)} lines; they belong to different '
            'releases: take both from the same download.'
        )
    differing = np.flatnonzero(rows.labels != np.array([label for _, label in items]))
    if len(differing):
        row = int(differing[0])
        raise ValueError(
            f'{rows.source}, row {row} has label {rows.labels[row]}, but {list_file} names {items[row][0]!r} there, '
            f'which is class {items[row][1]} ({classes[items[row][1]]}); they belong to different releases: take both '
            'from the same download.'
        )


def _read_h5(path: Path) -> dict[str, np.ndarray]:
    arrays = read_h5_rows(path, {'data': (None, 2048, 3), 'label': (None, 1)}, {'normal': (None, 2048, 3)})
    names = {'data': 'points', 'normal': 'normals'}
    return {names.get(key, key): array for key, array in arrays.items()}


def _h5_files(root: Path, split: str) -> list[Path]:
    """The files of a split by their number; the list, where there is one, says which have to be there."""
    pattern = re.compile(rf'ply_data_{split}(\d+)\.h5')
    list_file = root / f'{split}_files.txt'
    found = {path.name for path in root.glob(f'ply_data_{split}*.h5') if pattern.fullmatch(path.name)}
    if list_file.is_file():
        found = set()
        for number, line in read_lines(list_file, f'one ply_data_{split}<k>.h5 a line', _WHO, _SOURCE):
            where = f'{list_file}, line {number}'
            # The release names them from where its authors stood: data/modelnet40_ply_hdf5_2048/ply_data_train0.h5.
            name = inside(root, line, where).name
            if not pattern.fullmatch(name):
                raise ValueError(f'{where}: expected a file ply_data_{split}<k>.h5, got {line!r}; correct the line.')
            need_file(root / name, f'the h5 file that {where} names', _WHO, _SOURCE)
            found.add(name)
    if not found and (root / 'modelnet40_shape_names.txt').exists():
        raise ValueError(
            f"{root} holds the text files of the other release; set variant='normal_resampled' of ModelNet, or name "
            'the folder modelnet40_ply_hdf5_2048: accuracies on the two do not compare.'
        )
    if not found:
        raise FileNotFoundError(
            f'{root.absolute()} has no ply_data_{split}<k>.h5 ({_WHO} with variant hdf5_2048). {_SOURCE}'
        )
    return [root / name for name in sorted(found, key=lambda name: int(pattern.fullmatch(name)[1]))]
