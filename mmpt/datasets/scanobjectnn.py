"""ScanObjectNN: scanned objects, with and without what stood around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import need_file, need_folder
from .rowmap import RowMap, read_h5_rows

__all__ = ['SCANOBJECTNN', 'ScanObjectNN']

#: The classes in the order of their labels.
SCANOBJECTNN = (
    'bag', 'bin', 'box', 'cabinet', 'chair', 'desk', 'display', 'door', 'shelf', 'table', 'bed', 'pillow', 'sink',
    'sofa', 'toilet',
)  # fmt: skip
# variant -> folder, and what follows training_ or test_ in the name of the file.
_FILES = {
    'obj_bg': ('main_split', 'objectdataset.h5'),
    'obj_only': ('main_split_nobg', 'objectdataset.h5'),
    'pb_t50_rs': ('main_split', 'objectdataset_augmentedrot_scale75.h5'),
}
_PREFIXES = {'train': 'training', 'test': 'test'}
_WHO = '`data_root` of ScanObjectNN'
_SOURCE = (
    'The files are h5_files.zip of https://hkust-vgd.github.io/scanobjectnn/ (terms of use to be accepted); '
    'configs/_base_/datasets/categories_val.py is generated and needs no download.'
)


@DATASETS.register_module()
class ScanObjectNN(PointCloudDataset):
    """ScanObjectNN (Uy et al., ICCV 2019, arXiv 1908.04616): 2,902 scanned objects of 15 classes, 2,048 points each.

    ============  =====================================================================  =============
    variant       file                                                                   train + test
    ============  =====================================================================  =============
    'obj_bg'      main_split/{training,test}_objectdataset.h5                            2,309 + 581
    'obj_only'    main_split_nobg/{training,test}_objectdataset.h5                       2,309 + 581
    'pb_t50_rs'   main_split/{training,test}_objectdataset_augmentedrot_scale75.h5       11,416 + 2,882
    ============  =====================================================================  =============

    Each file holds data (n, 2048, 3) and label (n,), and where background was left in, mask (n, 2048), -1 for
    background. Samples have ``points`` (2048, 3) float32, y up (the axis about which the authors' own code turns them),
    as stored: neither centred nor scaled here, because Point-BERT, Point-MAE and their successors do not either. A
    ``UnitSphere`` in the pipeline, as PointNeXt has, changes the accuracy: say which beside a figure.

    Where there is a mask, ``instance`` (2048,) int64 is 0 on the object and -1 on what stood around it.

    A file is laid out for reading by row once, into ``<file>.mapped`` (see :class:`~mmpt.datasets.rowmap.RowMap`).

    Args:
        data_root (str): the folder with ``main_split`` and ``main_split_nobg``; packed: what pack.py wrote.
        split (str): 'train' or 'test'.
        variant (str): of the table; accuracies on different ones do not compare.
        cache_dir (str | None): where ``<file>.mapped`` goes; None for beside the file.
        packed (bool): read shards.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: the root or the file is missing.
        ValueError: an unknown split or variant; a file that is damaged, or holds something else.
    """

    #: (variant, split) -> shapes, for tools/verify_dataset.py.
    EXPECTED_COUNTS = {
        ('obj_bg', 'train'): 2309,
        ('obj_bg', 'test'): 581,
        ('obj_only', 'train'): 2309,
        ('obj_only', 'test'): 581,
        ('pb_t50_rs', 'train'): 11416,
        ('pb_t50_rs', 'test'): 2882,
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        variant: str = 'pb_t50_rs',
        cache_dir: str | None = None,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _PREFIXES or variant not in _FILES:
            raise ValueError(
                f"ScanObjectNN(split={split!r}, variant={variant!r}): expected split 'train' or 'test', variant "
                f'{", ".join(map(repr, _FILES))}.'
            )
        self.split = split
        if not packed:
            folder, name = _FILES[variant]
            root = need_folder(
                data_root, '{main_split,main_split_nobg}/{training,test}_objectdataset*.h5', _WHO, _SOURCE
            )
            path = root / folder / f'{_PREFIXES[split]}_{name}'
            need_file(path, f'the {split} part of variant {variant!r}', _WHO, _SOURCE)
            self.rows = RowMap(path, _read, cache_dir)
        metainfo = {'variant': variant, 'up_axis': 'y', 'classes': SCANOBJECTNN, 'split': split}
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def num_shapes(self) -> int:
        """Rows of the file."""
        return len(self.rows)

    def label(self, index: int) -> int:
        """The place of the class in ``metainfo['classes']``."""
        return int(self.rows.labels[index])

    def load_info(self, index: int) -> dict[str, Any]:
        """The cloud, its label and, where the file has a mask, what belongs to the object."""
        info: dict[str, Any] = {
            'sample_id': f'{self.rows.source.stem}-{index:05d}',
            'split': self.split,
            'label': self.label(index),
        }
        if not 0 <= info['label'] < len(SCANOBJECTNN):
            raise ValueError(
                f'{self.rows.source}, row {index} has label {info["label"]}, expected 0 to {len(SCANOBJECTNN) - 1}; '
                'this is not the release, or it is damaged: download the file again.'
            )
        info['points'] = self.rows.row('points', index)
        if 'mask' in self.rows.keys:
            info['instance'] = np.where(self.rows.row('mask', index) == -1, -1, 0)
        return info


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays = read_h5_rows(path, {'data': (None, 2048, 3), 'label': (None,)}, {'mask': (None, 2048)})
    return {'points' if key == 'data' else key: array for key, array in arrays.items()}
