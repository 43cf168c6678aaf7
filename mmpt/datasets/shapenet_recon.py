"""ShapeNet-55 with one picture and a caption of its class for each shape, as ReCon released them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import need_file, need_folder
from .reading import read_json
from .shapenet import LABELS, SYNSETS, open_clouds, read_shapes

__all__ = ['ShapeNetReCon']

_LISTS = {'train': ('train',), 'test': ('test',), 'whole': ('test', 'train')}
_WHO = '`data_root` of ShapeNetReCon'
_LAYOUT = 'shapenet_pc/<stem>.npy, shapenet_img/<stem>.png, ShapeNet-55/{train,test}.txt and shapenet55.json'
_CAPTIONS = 'captions by class, a JSON object with the columns "catalogue" (synset) and "describe" (text)'
_SOURCE = (
    'The clouds are the ShapeNet55-34 release of Point-BERT; pictures, captions and the lists that go with them are '
    'linked in DATASET.md of ReCon; configs/_base_/datasets/synthetic.py gives generated shapes with pictures without '
    'a download.'
)


@DATASETS.register_module()
class ShapeNetReCon(PointCloudDataset):
    """ShapeNet-55 with the pictures of ReCon (arXiv 2302.02318): one for each shape, and one caption for each class.

    Expected files::

        <data_root>/ShapeNet-55/train.txt, test.txt      lines <synset>-<model>.npy; ReCon's own lists
        <data_root>/shapenet_pc/<synset>-<model>.npy     (8192, 3) floats, y up
        <data_root>/shapenet_img/<synset>-<model>.png    one picture
        <data_root>/shapenet55.json                      {"catalogue": {row: synset}, "describe": {row: caption}}

    Some shapes of Point-BERT's lists have no picture, which is why ReCon has lists of its own. With other lists such a
    shape is taken without one (``has_image`` False). The caption is the same for all shapes of a class: a loss that
    pulls shapes of one caption together is trained with labels.

    Args:
        data_root (str): the folder ``ShapeNet55-34``; with ``packed``, what tools/dataset_converters/pack.py wrote.
        split (str): 'train', 'test', or 'whole' (test and train lists: the test shapes are then no longer unseen).
        packed (bool): read shards in place of the files.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a folder, a list or the captions are missing.
        ValueError: an unknown split, an empty list, a line that is not ``<synset>-<model>.npy``, captions of another
            form, or a class without one.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _LISTS:
            raise ValueError(f'ShapeNetReCon(split={split!r}): expected one of {", ".join(map(repr, _LISTS))}.')
        self.root = Path(data_root)
        if not packed:
            self._open(_LISTS[split])
        metainfo = {'variant': 'ReCon', 'up_axis': 'y', 'classes': tuple(SYNSETS.values()), 'split': split}
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def _open(self, lists: Sequence[str]) -> None:
        open_clouds(self.root, _LAYOUT, _WHO, _SOURCE)
        need_folder(self.root / 'shapenet_img', 'the pictures <synset>-<model>.png', _WHO, _SOURCE)
        self.captions = _read_captions(self.root / 'shapenet55.json')
        self.items = [
            (name, *item) for name in lists for item in read_shapes(self.root, 'ShapeNet-55', name, _WHO, _SOURCE)
        ]
        without = sorted({synset for _, synset, _ in self.items} - set(self.captions))
        if without:
            raise ValueError(
                f'{self.root / "shapenet55.json"} has no caption of {", ".join(without)}, which the lists name; take '
                f'it from the release again. {_SOURCE}'
            )

    def num_shapes(self) -> int:
        """Lines of the lists."""
        return len(self.items)

    def label(self, index: int) -> int | None:
        """The position of the synset among the 55; None for another synset."""
        return LABELS.get(self.items[index][1])

    def load_info(self, index: int) -> dict[str, Any]:
        """Paths, caption and label of a shape; nothing is decoded."""
        split, synset, model = self.items[index]
        stem = f'{synset}-{model}'
        picture = self.root / 'shapenet_img' / f'{stem}.png'
        info: dict[str, Any] = {
            'sample_id': stem,
            'split': split,
            'points_path': str(self.root / 'shapenet_pc' / f'{stem}.npy'),
            'image_paths': [str(picture)] if os.path.isfile(picture) else [],
            'caption': self.captions[synset],
        }
        label = self.label(index)
        if label is not None:
            info['label'] = label
        return info


def _read_captions(path: Path) -> dict[str, str]:
    """Caption of every synset."""
    table = read_json(need_file(path, _CAPTIONS, _WHO, _SOURCE))
    columns = [table.get(name) for name in ('catalogue', 'describe')] if isinstance(table, dict) else [None]
    if not all(isinstance(column, dict) for column in columns) or columns[0].keys() != columns[1].keys():
        raise ValueError(f'{path}: expected {_CAPTIONS}, with the same rows, got something else. {_SOURCE}')
    synsets, texts = columns
    wrong = [row for row, text in texts.items() if not isinstance(text, str) or not text.strip()]
    if wrong:
        raise ValueError(f'{path}, row {wrong[0]!r}: expected a text in "describe", got {texts[wrong[0]]!r}. {_SOURCE}')
    # A table that went through numbers has lost the leading zero of the synsets.
    return {str(synset).zfill(8): texts[row] for row, synset in synsets.items()}
