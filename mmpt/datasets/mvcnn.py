"""ShapeNet with the twelve renders of MVCNN for each shape, and the clouds that TAP sampled for them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import need_folder, read_lines
from .shapenet import LABELS, SYNSETS

__all__ = ['ShapeNetMVCNN']

_PARTS = {'train': ('train',), 'val': ('val',), 'test': ('test',), 'trainval': ('train', 'val')}
_CLOUDS = {'1024': 'pointclouds', '2048': 'pointclouds_p2048'}
_NUM_VIEWS = 12
_CLOUD = re.compile(r'(?P<model>model_(?P<id>[0-9]{6}))\.ply')
_WHO = '`data_root` of ShapeNetMVCNN'
_TABLE = 'the classes of the shapes, lines of "id,synsetId,subSynsetId,modelId" with that header'
_SOURCE = (
    'The renders with their tables are shapenet55v1.tar of MVCNN, the clouds are linked in the README of TAP; '
    'configs/_base_/datasets/synthetic.py gives generated shapes with pictures without a download.'
)


@DATASETS.register_module()
class ShapeNetMVCNN(PointCloudDataset):
    """Twelve shaded renders of each shape (MVCNN) with the clouds of TAP (arXiv 2307.14971), 55 classes, y up.

    Expected files, ``<part>`` being train, val or test::

        <data_root>/pointclouds/<part>/model_NNNNNN.ply             1,024 points; pointclouds_p2048 for 2,048
        <data_root>/shapenet55v1/<part>/model_NNNNNN_VVV.jpg        224 x 224, view 001 to 012
        <data_root>/shapenet55v1/{train,val}.csv                    only for ``labels``

    The numbers are those of SHREC16, which split the shapes of ShapeNetCore; they are not the names that the clouds of
    ShapeNet-55 have, so renders and clouds are joined by their own number and by nothing else. Opening lists the clouds
    and looks at no picture; a sample whose pictures are missing has none (``has_image`` False).

    Args:
        data_root (str): the folder ``ShapeNet55`` of TAP; with ``packed``, what tools/dataset_converters/pack.py wrote.
        split (str): 'train', 'val', 'test', or 'trainval', on which TAP pre-trains.
        variant (str): '1024' or '2048', how many points the clouds have.
        labels (bool): read the class of each shape from ``shapenet55v1/<part>.csv``; a shape that the table leaves out
            has no label. Tables of the train and the val part are known to be in MVCNN's archive, of the test part
            none is, so its classes are not known. Without labels ``metainfo['classes']`` is None.
        views (Sequence[int] | None): numbers of the pictures that may be used, from 1; None for all twelve.
        packed (bool): read shards in place of the files; ``labels`` and ``views`` are then those of packing.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a folder or a table is missing, or a folder has no cloud.
        ValueError: an unknown split, variant or view; a table of another form.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        variant: str = '1024',
        labels: bool = False,
        views: Sequence[int] | None = None,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _PARTS or variant not in _CLOUDS:
            raise ValueError(
                f'ShapeNetMVCNN(split={split!r}, variant={variant!r}): expected split {", ".join(_PARTS)}, variant '
                f'{" or ".join(_CLOUDS)}.'
            )
        self.views = range(1, _NUM_VIEWS + 1) if views is None else tuple(views)
        if not set(self.views) <= set(range(1, _NUM_VIEWS + 1)):
            raise ValueError(f'ShapeNetMVCNN(views={views}): expected numbers from 1 to {_NUM_VIEWS}.')
        self.root, self.clouds = Path(data_root), _CLOUDS[variant]
        if not packed:
            layout = f'{self.clouds}/<part>/model_NNNNNN.ply and shapenet55v1/<part>/model_NNNNNN_VVV.jpg'
            need_folder(self.root, layout, _WHO, _SOURCE)
            self.items = [(part, model) for part in _PARTS[split] for model in self._list(part)]
            tables = [_read_table(self.root / 'shapenet55v1' / f'{part}.csv') for part in _PARTS[split] * labels]
            self.synsets = {model: synset for table in tables for model, synset in table.items()}
        # Classes without a label in any sample would be asked for by what scores or counts them.
        classes = tuple(SYNSETS.values()) if labels else None
        metainfo = {'variant': variant, 'up_axis': 'y', 'classes': classes, 'split': split}
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def _list(self, part: str) -> list[str]:
        folder = need_folder(self.root / self.clouds / part, 'the clouds model_NNNNNN.ply', _WHO, _SOURCE)
        need_folder(self.root / 'shapenet55v1' / part, 'the renders model_NNNNNN_VVV.jpg', _WHO, _SOURCE)
        models = sorted(name[:-4] for name in os.listdir(folder) if _CLOUD.fullmatch(name))
        if not models:
            raise FileNotFoundError(f'{folder} has no cloud, expected model_NNNNNN.ply. {_SOURCE}')
        return models

    def num_shapes(self) -> int:
        """Clouds of the split."""
        return len(self.items)

    def label(self, index: int) -> int | None:
        """The position of the synset among the 55; None without ``labels`` and where the table has no line."""
        return LABELS.get(self.synsets.get(self.items[index][1], ''))

    def load_info(self, index: int) -> dict[str, Any]:
        """Paths and, where known, the label of a shape; nothing is decoded."""
        part, model = self.items[index]
        folder = os.path.join(self.root, 'shapenet55v1', part)
        pictures = [os.path.join(folder, f'{model}_{view:03d}.jpg') for view in self.views]
        info: dict[str, Any] = {
            'sample_id': model,
            'split': part,
            'points_path': str(self.root / self.clouds / part / f'{model}.ply'),
            'image_paths': [path for path in pictures if os.path.isfile(path)],
        }
        label = self.label(index)
        if label is not None:
            info['label'] = label
        return info


def _read_table(path: Path) -> dict[str, str]:
    """Synset of every model of a table of MVCNN."""
    (_, header), *lines = read_lines(path, f'{_TABLE} (`labels=True`; labels=False does without)', _WHO, _SOURCE)
    columns = [name.strip() for name in header.split(',')]
    if not {'id', 'synsetId'} <= set(columns):
        raise ValueError(f'{path}: expected {_TABLE}, got the header {header!r}. {_SOURCE}')
    synsets = {}
    for number, line in lines:
        row = dict(zip(columns, map(str.strip, line.split(','))))
        model, synset = row.get('id', ''), row.get('synsetId', '').zfill(8)
        if not model.isdecimal() or synset not in LABELS:
            raise ValueError(
                f'{path}, line {number}: expected a number and one of the 55 synsets, got {model!r} and {synset!r}; '
                'take the table of the release.'
            )
        synsets[f'model_{int(model):06d}'] = synset
    return synsets
