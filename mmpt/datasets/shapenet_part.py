"""ShapeNetPart: 16 classes of objects with a part for every point, as text files or as the h5 export."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import need_file, need_folder, read_lines
from .reading import read_h5, read_json, read_table

__all__ = ['PART_CLASSES', 'PART_RANGES', 'ShapeNetPart']

# Synset, name and number of parts, in the order of the release; the files number all 50 parts through in this order.
PART_CLASSES = (
    ('02691156', 'airplane', 4),
    ('02773838', 'bag', 2),
    ('02954340', 'cap', 2),
    ('02958343', 'car', 4),
    ('03001627', 'chair', 4),
    ('03261776', 'earphone', 3),
    ('03467517', 'guitar', 3),
    ('03624134', 'knife', 2),
    ('03636649', 'lamp', 4),
    ('03642806', 'laptop', 2),
    ('03790512', 'motorbike', 6),
    ('03797390', 'mug', 2),
    ('03948459', 'pistol', 3),
    ('04099429', 'rocket', 3),
    ('04225987', 'skateboard', 3),
    ('04379243', 'table', 3),
)
_ENDS = np.cumsum([count for _, _, count in PART_CLASSES])
_STARTS = _ENDS - [count for _, _, count in PART_CLASSES]
# First number of a class's parts in the files, and the number after the last.
PART_RANGES = tuple((int(start), int(end)) for start, end in zip(_STARTS, _ENDS))

_LABELS = {synset: label for label, (synset, _, _) in enumerate(PART_CLASSES)}
_LISTS = {'train': ('train',), 'val': ('val',), 'test': ('test',), 'trainval': ('train', 'val')}
_H5_FILES = {'train': 6, 'val': 1, 'test': 2}
# One path component that cannot climb: no separator, and it does not start with a dot.
_ENTRY = re.compile(r'shape_data/(?P<synset>[0-9]+)/(?P<model>[A-Za-z0-9_\-][A-Za-z0-9_.\-]*)')
_WHO = '`data_root` of ShapeNetPart'
_SOURCE = (
    'The text files are shapenetcore_partanno_segmentation_benchmark_v0_normal.zip, the h5 files '
    'shapenet_part_seg_hdf5_data.zip, both of the ShapeNet project (shapenet.org); '
    'configs/_base_/datasets/shapenet_part_synthetic.py gives generated objects with parts without a download.'
)


@DATASETS.register_module()
class ShapeNetPart(PointCloudDataset):
    """ShapeNetPart (Yi et al., ACM TOG 2016): 16 classes, 50 parts, y up, in the frame of the files.

    Expected files for ``variant='text'``, where ``data_root`` is the folder
    ``shapenetcore_partanno_segmentation_benchmark_v0_normal``::

        synsetoffset2category.txt                                     lines: name synset
        train_test_split/shuffled_{train,val,test}_file_list.json     entries: shape_data/<synset>/<id>
        <synset>/<id>.txt                                             rows: x y z nx ny nz part

    and for ``variant='h5'``, the export that DGCNN and CrossPoint use, where it is ``hdf5_data``::

        ply_data_train{0..5}.h5, ply_data_val0.h5, ply_data_test{0,1}.h5
            data (n, 2048, 3) floats, label (n, 1) 0 to 15, pid (n, 2048) 0 to 49

    The h5 files are read when the data set is opened and held in memory. Samples have ``parts`` counted from 0 within
    their class; ``metainfo['part_ranges'][label][0]`` is what has to be added for the numbers of the files. Text files
    have ``normals`` as well, and any number of points.

    Args:
        data_root (str): see above; with ``packed``, what tools/dataset_converters/pack.py wrote.
        split (str): 'train', 'val', 'test', or 'trainval', on which part segmentation is usually trained.
        variant (str): 'text' or 'h5'.
        packed (bool): read shards in place of the files.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a folder, a list or an h5 file is missing.
        ValueError: an unknown split or variant; a list, an h5 file or the table of classes that is not of the release;
            when a sample is read, a row that is not seven numbers, or a part that the class does not have.
    """

    #: (variant, split) -> shapes, for tools/verify_dataset.py: the lists of the release, 16,881 in all. Some papers
    #: print 14,006 for trainval, 16,880 in all.
    EXPECTED_COUNTS = {
        (variant, split): shapes
        for variant in ('text', 'h5')
        for split, shapes in {'train': 12137, 'val': 1870, 'trainval': 14007, 'test': 2874}.items()
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        variant: str = 'text',
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _LISTS or variant not in ('text', 'h5'):
            raise ValueError(
                f'ShapeNetPart(split={split!r}, variant={variant!r}): expected split {", ".join(_LISTS)}, variant text '
                'or h5.'
            )
        if not packed:
            files = _TextFiles if variant == 'text' else _H5Files
            self._files = files(Path(data_root), _LISTS[split])
        metainfo = {
            'variant': variant,
            'up_axis': 'y',
            'classes': tuple(name for _, name, _ in PART_CLASSES),
            'part_ranges': PART_RANGES,
            'split': split,
        }
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def num_shapes(self) -> int:
        """Entries of the lists, or shapes of the h5 files."""
        return len(self._files)

    def label(self, index: int) -> int | None:
        """The class, 0 to 15."""
        return self._files.label(index)

    def load_info(self, index: int) -> dict[str, Any]:
        """Points, parts, label, and the normals of text files."""
        return self._files.load(index)


class _TextFiles:
    """The text release: a file is read when its shape is asked for."""

    def __init__(self, root: Path, lists: Sequence[str]) -> None:
        layout = (
            'synsetoffset2category.txt, train_test_split/shuffled_{train,val,test}_file_list.json, <synset>/<id>.txt'
        )
        need_folder(root, layout, _WHO, _SOURCE)
        _check_classes(root / 'synsetoffset2category.txt')
        self.root = root
        self.items = [(name, *item) for name in lists for item in self._read_list(name)]

    def _read_list(self, name: str) -> list[tuple[str, str]]:
        path = self.root / 'train_test_split' / f'shuffled_{name}_file_list.json'
        what = f'the list of the {name} shapes, a JSON list of shape_data/<synset>/<id>'
        entries = read_json(need_file(path, what, _WHO, _SOURCE))
        if not isinstance(entries, list) or not entries:
            raise ValueError(f'{path} holds no shape, expected {what}. {_SOURCE}')
        items = []
        for number, entry in enumerate(entries, start=1):
            match = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
            if match is None or match['synset'] not in _LABELS:
                raise ValueError(
                    f'{path}, entry {number}: expected shape_data/<synset>/<id> with one of the 16 synsets of the '
                    f'release, got {entry!r}; a path that leads anywhere else is refused.'
                )
            items.append((match['synset'], match['model']))
        return items

    def __len__(self) -> int:
        return len(self.items)

    def label(self, index: int) -> int:
        return _LABELS[self.items[index][1]]

    def load(self, index: int) -> dict[str, Any]:
        split, synset, model = self.items[index]
        path = self.root / synset / f'{model}.txt'
        label = self.label(index)
        table = read_table(path, columns=7)
        numbers = np.nan_to_num(table[:, 6], nan=-1).clip(-1, _ENDS[-1]).astype(np.int64)
        wrong = (numbers != table[:, 6]) | (numbers < _STARTS[label]) | (numbers >= _ENDS[label])
        if wrong.any():
            raise _wrong_part(str(path), label, table[wrong.argmax(), 6])
        return {
            'sample_id': f'{synset}-{model}',
            'split': split,
            'points_path': str(path),
            'points': np.ascontiguousarray(table[:, :3]),
            'normals': np.ascontiguousarray(table[:, 3:6]),
            'parts': numbers - _STARTS[label],
            'label': label,
        }


class _H5Files:
    """The h5 export: everything is read and checked at once."""

    def __init__(self, root: Path, lists: Sequence[str]) -> None:
        need_folder(root, 'ply_data_train0.h5 to 5, ply_data_val0.h5, ply_data_test0.h5 and 1', _WHO, _SOURCE)
        paths = [(name, root / f'ply_data_{name}{number}.h5') for name in lists for number in range(_H5_FILES[name])]
        self.files = []
        for name, path in paths:
            need_file(path, f'shapes of the {name} part: data, label and pid', _WHO, _SOURCE)
            arrays = read_h5(path, {'data': (None, None, 3), 'label': (None, 1), 'pid': (None, None)})
            self.files.append((name, path, *_check_h5(path, **arrays)))
        self.starts = np.cumsum([0, *(len(data) for _, _, data, _, _ in self.files)])

    def _place(self, index: int) -> tuple[int, int]:
        file = int(np.searchsorted(self.starts, index, side='right')) - 1
        return file, index - int(self.starts[file])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def label(self, index: int) -> int:
        file, row = self._place(index)
        return int(self.files[file][3][row])

    def load(self, index: int) -> dict[str, Any]:
        file, row = self._place(index)
        split, path, data, labels, parts = self.files[file]
        return {
            'sample_id': f'{path.name}-{row:04d}',
            'split': split,
            'points': data[row].astype(np.float32),
            'parts': parts[row].astype(np.int64),
            'label': int(labels[row]),
        }


def _check_classes(path: Path) -> None:
    """The table of classes, which gives the labels their meaning, has to be that of the release."""
    lines = read_lines(path, 'lines of a name and a synset', _WHO, _SOURCE)
    found = [tuple(line.lower().split()) for _, line in lines]
    expected = [(name, synset) for synset, name, _ in PART_CLASSES]
    if found != expected:
        raise ValueError(
            f'{path}: expected the 16 classes of the release, Airplane 02691156 first and Table 04379243 last, got '
            f'{len(found)} lines that differ; take the file of the release.'
        )


def _check_h5(path: Path, data: np.ndarray, label: np.ndarray, pid: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give the arrays back with labels (n,) and with parts counted within the class."""
    if len(data) != len(label) or pid.shape != data.shape[:2]:
        raise ValueError(
            f'{path}: expected data (n, P, 3), label (n, 1) and pid (n, P) of one n and P, got {data.shape}, '
            f'{label.shape} and {pid.shape}; take the file of the release.'
        )
    labels = label[:, 0].astype(np.int64)
    outside = (labels != label[:, 0]) | (labels < 0) | (labels >= len(PART_CLASSES))
    if outside.any():
        raise ValueError(
            f'{path}, shape {outside.argmax()}: expected a label from 0 to {len(PART_CLASSES) - 1}, got '
            f'{label[outside.argmax(), 0]}; take the file of the release.'
        )
    wrong = (pid < _STARTS[labels, None]) | (pid >= _ENDS[labels, None])
    if wrong.any():
        shape, point = np.unravel_index(wrong.argmax(), wrong.shape)
        raise _wrong_part(f'{path}, shape {shape}', labels[shape], pid[shape, point])
    return data, labels, (pid - _STARTS[labels, None]).astype(np.uint8)


def _wrong_part(where: str, label: int, number: float) -> ValueError:
    _, name, _ = PART_CLASSES[label]
    return ValueError(
        f'{where} has a point of part {number:g}, expected {_STARTS[label]} to {_ENDS[label] - 1}, the parts of class '
        f'{name}; the file belongs to another class or is damaged: take it from the release again.'
    )
