"""ShapeNet-55 clouds, with their ShapeNetRendering pictures where there are any."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .paths import need_folder, read_lines

__all__ = ['LABELS', 'SYNSETS', 'ShapeNet', 'open_clouds', 'read_shapes']

SYNSETS = {
    '02691156': 'airplane',
    '02747177': 'trash bin',
    '02773838': 'bag',
    '02801938': 'basket',
    '02808440': 'bathtub',
    '02818832': 'bed',
    '02828884': 'bench',
    '02843684': 'birdhouse',
    '02871439': 'bookshelf',
    '02876657': 'bottle',
    '02880940': 'bowl',
    '02924116': 'bus',
    '02933112': 'cabinet',
    '02942699': 'camera',
    '02946921': 'can',
    '02954340': 'cap',
    '02958343': 'car',
    '02992529': 'cellphone',
    '03001627': 'chair',
    '03046257': 'clock',
    '03085013': 'keyboard',
    '03207941': 'dishwasher',
    '03211117': 'display',
    '03261776': 'earphone',
    '03325088': 'faucet',
    '03337140': 'file cabinet',
    '03467517': 'guitar',
    '03513137': 'helmet',
    '03593526': 'jar',
    '03624134': 'knife',
    '03636649': 'lamp',
    '03642806': 'laptop',
    '03691459': 'loudspeaker',
    '03710193': 'mailbox',
    '03759954': 'microphone',
    '03761084': 'microwave',
    '03790512': 'motorbike',
    '03797390': 'mug',
    '03928116': 'piano',
    '03938244': 'pillow',
    '03948459': 'pistol',
    '03991062': 'flowerpot',
    '04004475': 'printer',
    '04074963': 'remote control',
    '04090263': 'rifle',
    '04099429': 'rocket',
    '04225987': 'skateboard',
    '04256520': 'sofa',
    '04330267': 'stove',
    '04379243': 'table',
    '04401088': 'telephone',
    '04460130': 'tower',
    '04468005': 'train',
    '04530566': 'watercraft',
    '04554684': 'washer',
}
LABELS = {synset: label for label, synset in enumerate(SYNSETS)}

# One path component that cannot climb: no separator, and neither part starts with a dot.
_LINE = re.compile(r'(?P<synset>[A-Za-z0-9_]+)-(?P<model>[A-Za-z0-9_][A-Za-z0-9_.\-]*)\.npy')
_PICTURE = re.compile(r'[0-9]+\.png')
_SOURCE = (
    'ShapeNet itself is at shapenet.org (registration), the clouds and lists are the ShapeNet55-34 release of '
    'Point-BERT, the pictures are ShapeNetRendering of 3D-R2N2; '
    'configs/mmpt/pretrain_synthetic.py does the same on generated data without a download.'
)


def open_clouds(data_root: Path, layout: str, who: str, source: str) -> None:
    """Say what is missing, where ``data_root`` is not the folder ``ShapeNet55-34`` of the release with its clouds."""
    need_folder(data_root, layout, who, source)
    need_folder(data_root / 'shapenet_pc', 'the clouds <synset>-<model>.npy', who, source)


def read_shapes(data_root: Path, variant: str, name: str, who: str, source: str) -> list[tuple[str, str]]:
    """Read a list of the release.

    Args:
        data_root (Path): the folder ``ShapeNet55-34``.
        variant (str): the folder of the list, such as 'ShapeNet-55'.
        name (str): 'train' or 'test'.
        who (str): who asks, see :func:`~mmpt.datasets.paths.need_folder`.
        source (str): where the data come from.

    Returns:
        list[tuple[str, str]]: synset and model of every line.

    Raises:
        FileNotFoundError: there is no such list.
        ValueError: it is empty, or a line is not ``<synset>-<model>.npy``.
    """
    path = data_root / variant / f'{name}.txt'
    what = f'the list of the {name} shapes, one <synset>-<model>.npy a line'
    items = []
    for number, line in read_lines(path, what, who, source):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(
                f'{path}, line {number}: expected <synset>-<model>.npy, the name of a file in '
                f'{data_root / "shapenet_pc"}, got {line!r}; a path that leads anywhere else is refused.'
            )
        items.append((match['synset'], match['model']))
    return items


@DATASETS.register_module()
class ShapeNet(PointCloudDataset):
    """ShapeNet-55 as Point-BERT (arXiv 2111.14819) released it: 41,952 + 10,518 clouds of 8,192 points, 55 classes.

    Expected files::

        <data_root>/ShapeNet-55/train.txt, test.txt      lines <synset>-<model>.npy
        <data_root>/shapenet_pc/<synset>-<model>.npy     (8192, 3) floats, y up
        <images_root>/<synset>/<model>/rendering/NN.png  optional; 13 of the classes have any

    Opening reads the lists and looks at nothing else but the two roots; a sample's pictures are listed when it is
    loaded. Pipelines start with ``LoadPoints`` and, with pictures, ``LoadImages``: a shape without pictures has none in
    ``image_paths``, which gives zeros and ``has_image`` False.

    Args:
        data_root (str): the folder called ``ShapeNet55-34`` in the release.
        split (str): 'train', 'test', or 'whole' (test and train lists, as Point-BERT and ACT pre-train: the test shapes
            are then no longer unseen).
        images_root (str | None): the folder ``ShapeNetRendering``; None for clouds alone.
        views (Sequence[int] | None): numbers of the pictures that may be used; None for all.
        packed (bool): ``data_root`` is what tools/dataset_converters/pack.py wrote, pictures included.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: a root or a list is missing; says what is expected where, and where to get it.
        ValueError: an unknown split, an empty list, a line that is not ``<synset>-<model>.npy``.
    """

    EXPECTED_COUNTS = {
        ('ShapeNet-55', 'train'): 41952,
        ('ShapeNet-55', 'test'): 10518,
        ('ShapeNet-55', 'whole'): 52470,
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        images_root: str | None = None,
        views: Sequence[int] | None = None,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        lists = {'train': ('train',), 'test': ('test',), 'whole': ('test', 'train')}
        if split not in lists:
            raise ValueError(f'ShapeNet(split={split!r}): expected one of {", ".join(map(repr, lists))}.')
        self.data_root, self.images_root, self.views = Path(data_root), images_root, views
        self.clouds = self.data_root / 'shapenet_pc'
        if not packed:
            self._open(lists[split])
        metainfo = {'variant': 'ShapeNet-55', 'up_axis': 'y', 'classes': tuple(SYNSETS.values()), 'split': split}
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def _open(self, lists: Sequence[str]) -> None:
        who = '`data_root` of ShapeNet'
        open_clouds(self.data_root, 'ShapeNet-55/{train,test}.txt and shapenet_pc/<synset>-<model>.npy', who, _SOURCE)
        self.items = [
            (name, *item) for name in lists for item in read_shapes(self.data_root, 'ShapeNet-55', name, who, _SOURCE)
        ]
        if self.images_root is not None:
            layout = '<synset>/<model>/rendering/NN.png'
            need_folder(self.images_root, layout, '`images_root` of ShapeNet', _SOURCE)
            present = set(os.listdir(self.images_root))
            if not any(synset in present for _, synset, _ in self.items):
                raise FileNotFoundError(
                    f'{self.images_root} (`images_root`) has no folder of any synset of the list, expected {layout}, '
                    f'so that no shape would have a picture. {_SOURCE}'
                )

    def num_shapes(self) -> int:
        """Lines of the list."""
        return len(self.items)

    def label(self, index: int) -> int | None:
        """The position of the synset in ``SYNSETS``; None for a synset that is not one of the 55."""
        return LABELS.get(self.items[index][1])

    def load_info(self, index: int) -> dict[str, Any]:
        """Paths and label of a shape; nothing is decoded."""
        split, synset, model = self.items[index]
        info: dict[str, Any] = {
            'sample_id': f'{synset}-{model}',
            'split': split,
            'points_path': str(self.clouds / f'{synset}-{model}.npy'),
            'image_paths': self._pictures(synset, model),
        }
        label = self.label(index)
        if label is not None:
            info['label'] = label
        return info

    def _pictures(self, synset: str, model: str) -> list[str]:
        if self.images_root is None:
            return []
        folder = os.path.join(self.images_root, synset, model, 'rendering')
        try:
            names = sorted(name for name in os.listdir(folder) if _PICTURE.fullmatch(name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        wanted = None if self.views is None else set(self.views)
        return [os.path.join(folder, name) for name in names if wanted is None or int(name[:-4]) in wanted]
