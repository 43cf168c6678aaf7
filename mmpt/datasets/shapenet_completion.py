"""ShapeNet-55, ShapeNet-34 and its 21 unseen classes, for completion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .shapenet import LABELS, SYNSETS, open_clouds, read_shapes

__all__ = ['ShapeNetCompletion']

_LISTS = {'ShapeNet-55': ('train', 'test'), 'ShapeNet-34': ('train', 'test'), 'ShapeNet-Unseen21': ('test',)}
_WHO = '`data_root` of ShapeNetCompletion'
_LAYOUT = '{ShapeNet-55,ShapeNet-34,ShapeNet-Unseen21}/{train,test}.txt and shapenet_pc/<synset>-<model>.npy'
_SOURCE = (
    'ShapeNet itself is at shapenet.org (registration), the clouds and lists are the ShapeNet55/34 release of PoinTr; '
    'configs/_base_/datasets/shapenet_completion_synthetic.py completes generated objects without a download.'
)


@DATASETS.register_module()
class ShapeNetCompletion(PointCloudDataset):
    """The completion benchmarks of PoinTr (arXiv 2108.08839) on ShapeNet clouds of 8,192 points.

    Expected files::

        <data_root>/ShapeNet-55/{train,test}.txt         41,952 and 10,518 lines <synset>-<model>.npy, 55 classes
        <data_root>/ShapeNet-34/{train,test}.txt         46,765 and 3,400 lines, 34 of the classes
        <data_root>/ShapeNet-Unseen21/test.txt           2,305 lines, the other 21 classes
        <data_root>/shapenet_pc/<synset>-<model>.npy     (8192, 3) floats, y up

    A sample is a whole cloud; the transform ``CropViewpoint`` makes the partial cloud and keeps the whole one as
    ``complete``. Pipelines are ``LoadPoints``, ``UnitSphere``, ``CropViewpoint``, ``PackInputs``.

    Args:
        data_root (str): the folder called ``ShapeNet55-34`` in the release; with ``packed``, what
            tools/dataset_converters/pack.py wrote.
        split (str): 'train' or 'test'.
        variant (str): 'ShapeNet-55', 'ShapeNet-34', or 'ShapeNet-Unseen21', which has a test part only.
        packed (bool): read shards in place of the files.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: the folder, its clouds or a list is missing.
        ValueError: an unknown variant or split, an empty list, a line that is not ``<synset>-<model>.npy``.
    """

    EXPECTED_COUNTS = {
        ('ShapeNet-55', 'train'): 41952,
        ('ShapeNet-55', 'test'): 10518,
        ('ShapeNet-34', 'train'): 46765,
        ('ShapeNet-34', 'test'): 3400,
        ('ShapeNet-Unseen21', 'test'): 2305,
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        variant: str = 'ShapeNet-55',
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _LISTS.get(variant, ()):
            known = '; '.join(f'{name} with split {" or ".join(splits)}' for name, splits in _LISTS.items())
            raise ValueError(f'ShapeNetCompletion(variant={variant!r}, split={split!r}): expected {known}.')
        self.root, self.split = Path(data_root), split
        if not packed:
            open_clouds(self.root, _LAYOUT, _WHO, _SOURCE)
            self.items = read_shapes(self.root, variant, split, _WHO, _SOURCE)
        metainfo = {'variant': variant, 'up_axis': 'y', 'classes': tuple(SYNSETS.values()), 'split': split}
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def num_shapes(self) -> int:
        """Lines of the list."""
        return len(self.items)

    def label(self, index: int) -> int | None:
        """The position of the synset among the 55, whatever the variant; None for another synset."""
        return LABELS.get(self.items[index][0])

    def load_info(self, index: int) -> dict[str, Any]:
        """Path and label of a shape; nothing is decoded."""
        synset, model = self.items[index]
        info: dict[str, Any] = {
            'sample_id': f'{synset}-{model}',
            'split': self.split,
            'points_path': str(self.root / 'shapenet_pc' / f'{synset}-{model}.npy'),
        }
        label = self.label(index)
        if label is not None:
            info['label'] = label
        return info
