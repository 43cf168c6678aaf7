"""Few-shot folds drawn from any labelled data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmpt.registry import DATASETS
from mmpt.utils.folds import draw_fold

from .base import PointCloudDataset

__all__ = ['DrawnFewShot']

_PARTS = ('train', 'test')


@DATASETS.register_module()
class DrawnFewShot(PointCloudDataset):
    """One fold of n-way m-shot classification, drawn from a labelled data set as Point-BERT's folds were.

    It is to other data what :class:`ModelNetFewShot` is to ModelNet40: ``way`` classes, ``shot`` examples of each from
    the training part, ``queries`` of each from the test part. A fold depends on (seed, way, shot, fold) alone, and is
    the one that ``draw_folds`` of the evaluation draws from labels in the same order.

    Samples have what those of the data have; ``label`` is 0 to way - 1, the class within the fold, and
    ``metainfo['classes']`` names the classes in that order.

    Args:
        parts (dict[str, dict]): ``train`` and ``test``: configs of the two parts, each a :class:`PointCloudDataset`
            with labels; their pipelines are not read.
        split (str): 'train' for the examples, 'test' for the queries.
        way (int): number of classes.
        shot (int): examples of each class.
        fold (int): number of the draw.
        queries (int): shapes of each class that are scored.
        seed (int): of the folds, and of the transforms' draws.
        pipeline (Sequence[dict | Callable]): see :class:`PointCloudDataset`, as are ``kwargs``.

    Raises:
        ValueError: an unknown split; a shape without a label; too few classes, or a class with too few shapes.
    """

    def __init__(
        self,
        parts: dict[str, dict],
        split: str = 'train',
        *,
        way: int = 5,
        shot: int = 10,
        fold: int = 0,
        queries: int = 20,
        seed: int = 0,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if split not in _PARTS or sorted(parts) != sorted(_PARTS):
            raise ValueError(
                f'DrawnFewShot(split={split!r}) with parts {", ".join(parts)}: expected the parts train and test, and '
                'split one of them.'
            )
        built = {name: DATASETS.build(part) for name, part in parts.items()}
        labels = {name: _labels(part) for name, part in built.items()}
        drawn = draw_fold(labels['train'], labels['test'], way, shot, fold, queries=queries, seed=seed)
        self.split, self.part = split, built[split]
        place = {int(name): number for number, name in enumerate(drawn.classes)}
        chosen = drawn.support if split == 'train' else drawn.query
        self.rows = [(int(self.part.distinct()[row]), place[labels[split][row]]) for row in chosen]
        info = self.part.metainfo
        names = info['classes']
        metainfo = {
            'variant': f'{info.get("variant")} {way}way_{shot}shot_{fold}',
            'up_axis': info['up_axis'],
            'normalize': info['normalize'],
            'classes': None if names is None else tuple(names[name] for name in drawn.classes),
            'split': split,
        }
        super().__init__(pipeline, seed=seed, metainfo=metainfo, **kwargs)

    def num_shapes(self) -> int:
        """Shapes of the part."""
        return len(self.rows)

    def label(self, index: int) -> int:
        """The class within the fold."""
        return self.rows[index][1]

    def load_info(self, index: int) -> dict[str, Any]:
        """What the data know of the shape, with its label within the fold."""
        return {**self.part.load_info(self.rows[index][0]), 'split': self.split, 'label': self.label(index)}


def _labels(part: PointCloudDataset) -> list[int]:
    """The class of every shape in use."""
    labels = [part.label(int(index)) for index in part.distinct()]
    if None in labels:
        raise ValueError(
            f'DrawnFewShot: expected a label for every shape of {type(part).__name__}, got none for shape '
            f'{labels.index(None)}; few-shot folds are drawn by class.'
        )
    return labels
