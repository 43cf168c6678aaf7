"""PCN: partial scans of ShapeNet objects, and the complete clouds they are to be completed to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import need_file, need_folder
from .reading import read_json
from .shapenet import SYNSETS

__all__ = ['PCN', 'PCN_SYNSETS']

PCN_SYNSETS = ('02691156', '02933112', '02958343', '03001627', '03636649', '04256520', '04379243', '04530566')
_VIEWS = {'train': 8, 'val': 1, 'test': 1}
# One path component that cannot climb: no separator, and it does not start with a dot.
_MODEL = re.compile(r'[A-Za-z0-9_\-][A-Za-z0-9_.\-]*')
_WHO = '`data_root` of PCN'
_LIST = 'a JSON list of {taxonomy_id, taxonomy_name, train, val, test}, one entry for each of the 8 classes'
_SOURCE = (
    'The clouds are the PCN data set in the form of GRNet (ShapeNetCompletion), the list is data/PCN/PCN.json of '
    'PoinTr; configs/_base_/datasets/completion_synthetic.py completes generated objects without a download.'
)


@DATASETS.register_module()
class PCN(PointCloudDataset):
    """PCN (Yuan et al., 3DV 2018, arXiv 1808.00671): 8 classes, in the form that GRNet and PoinTr use.

    Expected files::

        <data_root>/PCN.json                                       the models of each class and split
        <data_root>/<split>/partial/<synset>/<model>/00.pcd        a scan; 00 to 07 for train
        <data_root>/<split>/complete/<synset>/<model>.pcd          16,384 points

    Opening reads the list and looks at nothing else. Pipelines start with ``LoadPartial``. Both clouds share a frame,
    in which y is up and coordinates lie in [-0.5, 0.5]: a model is trained on them as they are.

    Args:
        data_root (str): the folder ``PCN``; with ``packed``, what tools/dataset_converters/pack.py wrote.
        split (str): 'train', 'val' or 'test'.
        packed (bool): read shards in place of the files.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: the folder or the list is missing.
        ValueError: an unknown split; the list is not that of the release, or an entry is no plain file name.
    """

    EXPECTED_COUNTS = {('PCN', 'train'): 28974, ('PCN', 'val'): 800, ('PCN', 'test'): 1200}

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _VIEWS:
            raise ValueError(f'PCN(split={split!r}): expected one of {", ".join(map(repr, _VIEWS))}.')
        self.root, self.split = Path(data_root), split
        if not packed:
            need_folder(self.root, 'PCN.json and {train,val,test}/{partial,complete}', _WHO, _SOURCE)
            self.items = _read_list(self.root / 'PCN.json', split)
        metainfo = {
            'variant': 'PCN',
            'up_axis': 'y',
            'classes': tuple(SYNSETS[synset] for synset in PCN_SYNSETS),
            'split': split,
        }
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def num_shapes(self) -> int:
        """Models of the split."""
        return len(self.items)

    def label(self, index: int) -> int | None:
        """The class, 0 to 7."""
        return PCN_SYNSETS.index(self.items[index][0])

    def load_info(self, index: int) -> dict[str, Any]:
        """The paths of a model; nothing is decoded."""
        synset, model = self.items[index]
        partial = self.root / self.split / 'partial' / synset / model
        return {
            'sample_id': f'{synset}-{model}',
            'split': self.split,
            'partial_paths': [str(partial / f'{view:02d}.pcd') for view in range(_VIEWS[self.split])],
            'complete_path': str(self.root / self.split / 'complete' / synset / f'{model}.pcd'),
            'label': self.label(index),
        }


def _read_list(path: Path, split: str) -> list[tuple[str, str]]:
    classes = read_json(need_file(path, _LIST, _WHO, _SOURCE))
    if not isinstance(classes, list) or not all(isinstance(entry, dict) for entry in classes):
        raise ValueError(f'{path}: expected {_LIST}, got something else. {_SOURCE}')
    items = []
    for number, entry in enumerate(classes, start=1):
        synset, models = entry.get('taxonomy_id'), entry.get(split)
        if synset not in PCN_SYNSETS or not isinstance(models, list):
            raise ValueError(
                f'{path}, entry {number}: expected taxonomy_id, one of {", ".join(PCN_SYNSETS)}, and a list {split!r}, '
                f'got taxonomy_id {synset!r} and {type(models).__name__}; take the list of PoinTr.'
            )
        for model in models:
            if not isinstance(model, str) or not _MODEL.fullmatch(model):
                raise ValueError(
                    f'{path}, {split} of {synset}: expected names of models, got {model!r}; a path that leads anywhere '
                    'else is refused.'
                )
            items.append((synset, model))
    if not items:
        raise ValueError(f'{path} names no model of {split}, expected {_LIST}. {_SOURCE}')
    return items
