"""The published few-shot folds of ModelNet40."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import DATASETS

from .base import PointCloudDataset
from .modelnet import MODELNET40
from .paths import need_folder
from .reading import read_pickle

__all__ = ['ModelNetFewShot']

_SPLITS = ('train', 'test')
_SOURCE = (
    'The folds are in the data description of Point-BERT (docs/datasets/modelnet_fewshot.md has the link); '
    'configs/_base_/datasets/few_shot_synthetic.py is generated and needs no download.'
)
_RECORD = '(points (P, 6) float32, label within the fold, label in ModelNet40)'


@DATASETS.register_module()
class ModelNetFewShot(PointCloudDataset):
    """One fold of Point-BERT's few-shot protocol (arXiv 2111.14819): ``way`` ModelNet40 classes, ``shot`` shapes each.

    Expected file: ``<data_root>/<way>way_<shot>shot/<fold>.pkl``, or ``<way>way<shot>shot`` as the description of the
    release spells the folder; ways 5 and 10, shots 10 and 20, folds 0 to 9. It holds {'train': [...], 'test': [...]} of
    (points (8192, 6) float32 x y z nx ny nz, label within the fold, label in ModelNet40). The support ('train') comes
    from the train part of ModelNet40, the queries ('test'), 20 of each class, from its test part. The result of the
    protocol is mean and standard deviation over the ten folds.

    Samples have ``points`` and ``normals`` (8192, 3) float32, y up, in the order of farthest point sampling
    (``farthest_first``), and ``label`` 0 to way - 1; ``metainfo['classes']`` names the fold's classes in that order.

    The fold's part is held in memory (0.2 MB a shape, at most 40 MB).

    Args:
        data_root (str): the folder ``ModelNetFewshot``; packed: what pack.py wrote of one fold.
        split (str): 'train' for the support, 'test' for the queries.
        way (int): number of classes.
        shot (int): examples of each class.
        fold (int): number of the draw.
        packed (bool): read shards.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        FileNotFoundError: the root is missing, or there is no such way, shot or fold in it; lists what there is.
        ValueError: an unknown split; the file would run code, is damaged or holds something else, or not ``shot``
            examples of every class and queries of each.
    """

    #: (variant, split) -> shapes, for tools/verify_dataset.py.
    EXPECTED_COUNTS = {
        (f'{way}way_{shot}shot_{fold}', split): way * (shot if split == 'train' else 20)
        for way in (5, 10)
        for shot in (10, 20)
        for fold in range(10)
        for split in _SPLITS
    }

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *,
        way: int = 5,
        shot: int = 10,
        fold: int = 0,
        packed: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f"ModelNetFewShot(split={split!r}): expected 'train' (support) or 'test' (queries).")
        self.split = split
        metainfo: dict[str, Any] = {'variant': f'{way}way_{shot}shot_{fold}', 'up_axis': 'y', 'split': split}
        if not packed:
            path = _find(Path(data_root), way, shot, fold)
            parts = _read(path, way)
            metainfo['classes'] = _classes(path, parts, way)
            _check_support(path, parts, way, shot)
            self.path, self.records = path, parts[split]
        super().__init__(pipeline, metainfo=metainfo, packed_root=data_root if packed else None, **kwargs)

    def num_shapes(self) -> int:
        """Shapes of the part."""
        return len(self.records)

    def label(self, index: int) -> int:
        """The class within the fold."""
        return self.records[index][1]

    def load_info(self, index: int) -> dict[str, Any]:
        """The cloud, its normals and its label within the fold."""
        cloud = self.records[index][0]
        if not np.isfinite(cloud).all():
            raise ValueError(
                f'{self.path}, {self.split} {index}: expected finite points and normals, got NaN or infinity; download '
                'the file again.'
            )
        return {
            'sample_id': f'{self.path.parent.name}-{self.path.stem}-{self.split}-{index:03d}',
            'split': self.split,
            'points': cloud[:, :3].copy(),
            'normals': cloud[:, 3:].copy(),
            'label': self.label(index),
            'farthest_first': True,
        }


def _find(root: Path, way: int, shot: int, fold: int) -> Path:
    need_folder(root, '<way>way_<shot>shot/<fold>.pkl', '`data_root` of ModelNetFewShot', _SOURCE)
    for name in (f'{way}way_{shot}shot', f'{way}way{shot}shot'):
        path = root / name / f'{fold}.pkl'
        if path.is_file():
            return path
    have = [
        f'{folder.name} with folds {", ".join(sorted((file.stem for file in folder.glob("*.pkl")), key=_as_number))}'
        for folder in sorted(root.glob('*way*shot'))
    ]
    raise FileNotFoundError(
        f'{root.absolute()} has no {way}way_{shot}shot/{fold}.pkl (way, shot and fold of ModelNetFewShot), it has '
        f'{"; ".join(have) or "no folder of that kind"}. {_SOURCE}'
    )


def _as_number(text: str) -> tuple[int, str]:
    return (int(text) if text.isdigit() else -1, text)


def _read(path: Path, way: int) -> dict[str, list[tuple[np.ndarray, int, int]]]:
    content = read_pickle(path)
    if not isinstance(content, dict) or not all(isinstance(content.get(split), list) for split in _SPLITS):
        found = sorted(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"{path}: expected a dictionary with lists 'train' and 'test', got {found}; download it again."
        )
    parts = {
        split: [_record(item, f'{path}, {split} {k}', way) for k, item in enumerate(content[split])]
        for split in _SPLITS
    }
    empty = [split for split in _SPLITS if not parts[split]]
    if empty:
        raise ValueError(f'{path}: expected shapes in {" and ".join(empty)}, got none; download it again.')
    return parts


def _record(item: Any, where: str, way: int) -> tuple[np.ndarray, int, int]:
    if not isinstance(item, (tuple, list)) or len(item) != 3:
        raise ValueError(f'{where}: expected {_RECORD}, got {type(item).__name__}; download the file again.')
    cloud = item[0]
    if not isinstance(cloud, np.ndarray) or cloud.dtype.kind != 'f' or cloud.ndim != 2 or cloud.shape[1] != 6:
        raise ValueError(f'{where}: expected {_RECORD}, got points {np.shape(cloud)}; download the file again.')
    labels = [np.asarray(label) for label in item[1:]]
    if any(label.size != 1 or label.dtype.kind not in 'iu' for label in labels):
        raise ValueError(
            f'{where}: expected {_RECORD}, got labels {item[1]!r} and {item[2]!r}; download the file again.'
        )
    new, old = (int(label.item()) for label in labels)
    if not 0 <= new < way or not 0 <= old < len(MODELNET40):
        raise ValueError(
            f'{where}: expected a label from 0 to {way - 1} and one of ModelNet40 from 0 to {len(MODELNET40) - 1}, got '
            f'{new} and {old}; the file is of another way than its folder says.'
        )
    return np.ascontiguousarray(cloud, np.float32), new, old


def _classes(path: Path, parts: dict[str, list[tuple[np.ndarray, int, int]]], way: int) -> tuple[str, ...]:
    """The classes of the fold; every label has to stand for one class in both parts."""
    meant: dict[int, set[int]] = {label: set() for label in range(way)}
    for records in parts.values():
        for _, new, old in records:
            meant[new].add(old)
    for label, classes in meant.items():
        if len(classes) != 1:
            raise ValueError(
                f'{path}: expected label {label} to stand for one class of ModelNet40, got '
                f'{", ".join(MODELNET40[old] for old in sorted(classes)) or "no shape of it"}; download the file again.'
            )
    return tuple(MODELNET40[meant[label].pop()] for label in range(way))


def _check_support(path: Path, parts: dict[str, list[tuple[np.ndarray, int, int]]], way: int, shot: int) -> None:
    """A fold is n-way m-shot: m examples of every label, and something to ask of it."""
    counts = {split: Counter(new for _, new, _ in records) for split, records in parts.items()}
    for label in range(way):
        support, queries = counts['train'][label], counts['test'][label]
        if support != shot or not queries:
            raise ValueError(
                f'{path}: expected {shot} examples in train and queries in test of label {label}, got {support} and '
                f'{queries}; the file is of another shot than its folder says, or not whole.'
            )
