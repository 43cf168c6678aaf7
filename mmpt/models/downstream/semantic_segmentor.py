"""Which class every point of a scene belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpt.models.heads import SegmentationHead
from mmpt.models.layers import all_reduce_sum, rank_and_world
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample

from .base import DownstreamModel
from .blocks import cut_room

__all__ = ['SemanticSegmentor']

# Pieces of a room that are predicted at once.
_BATCH = 32


@MODELS.register_module()
class SemanticSegmentor(DownstreamModel):
    """The encoder of the pre-training and Point-MAE's head without a class of the shape (METHODS 5.6).

    It is trained on blocks of a fixed number of points. A prediction is for whole rooms: every point of a room is in up
    to four overlapping blocks, and its logits are summed over them. Rare classes weigh more in the loss: by the cube
    root of how much more frequent the most frequent class is, once :meth:`set_class_counts` was told, which
    ``ClassCountsHook`` does.

    Args:
        num_classes (int): K.
        encoder (dict | None): from ENCODERS, or ``checkpoint`` says what it is; see :class:`DownstreamModel`.
        levels (int): blocks of the encoder whose tokens are read; see :class:`PartSegmentor
            <mmpt.models.downstream.PartSegmentor>`.
        head (dict | None): sizes of :class:`SegmentationHead <mmpt.models.heads.SegmentationHead>`.
        whole_room (dict | None): ``size``, ``stride`` (metres) and ``num_points`` of the blocks that ``predict`` cuts
            a room into; see :func:`cut_room <mmpt.models.downstream.blocks.cut_room>`. None predicts the points as they
            come, in one pass: for data that are blocks already.
        **kwargs (Any): ``checkpoint``, ``task_encoder``, ``frozen``, ``data_preprocessor`` of the base class.
    """

    def __init__(
        self,
        num_classes: int,
        encoder: Mapping[str, Any] | None = None,
        levels: int = 3,
        head: Mapping[str, Any] | None = None,
        whole_room: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **kwargs)
        self.num_classes, self.whole_room = num_classes, whole_room
        if hasattr(self.encoder, 'spread_levels'):
            self.encoder.spread_levels(levels)
        self.head = SegmentationHead(getattr(self.encoder, 'places_dim', self.encoder.dim), num_classes, **(head or {}))
        # In every checkpoint, so that a run that goes on does not read all rooms again.
        self.register_buffer('class_counts', torch.zeros(num_classes, dtype=torch.int64))

    def set_class_counts(self, counts: Any) -> None:
        """Weigh classes by how many points each has in the training data.

        Args:
            counts (array): (K,) integers; where all are 0, every class weighs 1.

        Raises:
            ValueError: another number of classes.
        """
        counts = torch.as_tensor(counts)
        if counts.shape != self.class_counts.shape:
            raise ValueError(
                f'the training data have {len(counts)} classes, but model.num_classes of SemanticSegmentor is '
                f'{self.num_classes}; make them agree.'
            )
        self.class_counts.copy_(counts)

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Contract 2 in.

        Args:
            inputs (dict[str, Tensor]): ``points`` (B, N, 3 + F): blocks, or whole rooms where ``predict`` cuts them.
            data_samples (list[PointDataSample] | None): with ``semantic`` for the loss; ``predict`` writes to them.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            dict | list[PointDataSample] | Tensor: ``loss``, the weighted mean over the labelled points of all ranks,
            and ``accuracy`` on those of this one; samples with ``predicted_semantic`` (N,); or (B, N, K) logits.

        Raises:
            ValueError: an unknown mode; for the loss, a sample without classes of points, or with an unknown class.
        """
        points = inputs['points']
        if mode == 'loss':
            return self._loss(points, self._targets(data_samples).to(points.device))
        if mode == 'tensor':
            return self._logits(points)
        if mode != 'predict':
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
        if self.whole_room is None:
            rows = self._logits(points).argmax(2)
        else:
            rows = [self.room_logits(room).argmax(1) for room in points]
        data_samples = data_samples or [PointDataSample() for _ in points]
        for sample, row in zip(data_samples, rows):
            sample.predicted_semantic = row
        return data_samples

    @torch.no_grad()
    def room_logits(self, points: Tensor) -> Tensor:
        """Logits of every point of a room, summed over the blocks that hold it.

        Args:
            points (Tensor): (N, 3 + F).

        Returns:
            Tensor: (N, K) float32.
        """
        total = points.new_zeros(len(points), self.num_classes)
        pieces = cut_room(points, **self.whole_room)
        while batch := list(islice(pieces, _BATCH)):
            clouds = points[torch.stack([piece.rows for piece in batch])]
            clouds[..., :2] -= torch.stack([piece.centre for piece in batch])[:, None]
            # One piece after the other: rows come once in each, so that the sums are the same every time on a GPU too.
            for piece, logits in zip(batch, self._logits(clouds)):
                total[piece.rows[: piece.own]] += logits[: piece.own]
        return total

    def _logits(self, points: Tensor) -> Tensor:
        return self.head(self.encode(points), points[..., :3]).float()

    def _loss(self, points: Tensor, target: Tensor) -> dict[str, Tensor]:
        tokens = self.encode(points)
        logits = self.head(tokens, points[..., :3]).float()
        labelled, counts = target >= 0, self.class_counts.clamp(min=1).float()
        weight = (counts.max() / counts) ** (1 / 3)
        values = F.cross_entropy(logits.flatten(0, 1), target.flatten(), weight, ignore_index=-1, reduction='sum')
        whole = all_reduce_sum((weight[target.clamp(min=0)] * labelled).sum())
        # Averaged over ranks, as gradients are, this is the mean over all of them. A batch without labels gives 0.
        loss = values * rank_and_world()[1] / whole.clamp(min=torch.finfo(whole.dtype).tiny)
        # Global tokens are not read, but every parameter takes part in every step.
        loss = loss + 0 * sum(value.sum() for value in tokens.globals.values())
        right = (logits.detach().argmax(2) == target).sum()
        return {'loss': loss, 'accuracy': right / labelled.sum().clamp(min=1)}

    def _targets(self, samples: list[PointDataSample] | None) -> Tensor:
        """(B, N) classes, -1 for none; checked on the host, as a loss on the device would end the process."""
        return torch.stack(list(self._checked(samples or [PointDataSample()])))

    def _checked(self, samples: list[PointDataSample]) -> Iterator[Tensor]:
        for sample in samples:
            name = sample.get('sample_id', '?')
            if 'semantic' not in sample:
                raise ValueError(
                    f'SemanticSegmentor learns from a class for every point, sample {name!r} has none; use data with '
                    '`semantic` (S3DIS, ScanNet, SyntheticRooms).'
                )
            low, high = int(sample.semantic.min()), int(sample.semantic.max())
            if low < -1 or high >= self.num_classes:
                raise ValueError(
                    f'sample {name!r} has points of class {low if low < -1 else high}, expected 0 to '
                    f'{self.num_classes - 1}, or -1 for none; make model.num_classes agree with the data.'
                )
            yield sample.semantic
