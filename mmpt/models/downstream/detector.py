"""Which objects stand in a scene, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmpt.models.heads import DetectionHead
from mmpt.models.layers import all_reduce_sum, rank_and_world
from mmpt.models.losses import BoxPredictions, BoxSetLoss
from mmpt.ops import farthest_point_sample, gather
from mmpt.registry import MODELS
from mmpt.structures import PointDataSample

from .base import DownstreamModel

__all__ = ['SetDetector']


@MODELS.register_module()
class SetDetector(DownstreamModel):
    """The encoder of the pre-training and queries that ask its tokens for boxes (METHODS 5.7; after 3DETR 2109.08141).

    Scenes are in metres, z up, the middle of the floor at 0 0 0 (``CentreFloor``); the encoder learnt from shapes in
    the unit sphere. So x y z are divided by ``scale`` before the encoder sees them, and boxes are learnt in that
    unit. What goes in and comes out is in metres.

    Without bins of yaw (ScanNet) every box stands along the axes, and a true box that a transform has turned counts as
    the smallest box along the axes that holds it.

    Args:
        num_classes (int): K.
        num_queries (int): Q farthest points of a scene that ask, and the most boxes that a scene may have.
        yaw_bins (int): bins of half a turn; 0 where boxes stand along the axes.
        scale (float): metres that are 1 for the encoder.
        encoder (dict | None): from ENCODERS, or ``checkpoint`` says what it is; see :class:`DownstreamModel`.
        head (dict | None): sizes of :class:`DetectionHead <mmpt.models.heads.DetectionHead>`: ``dim``, ``depth``,
            ``num_heads``.
        loss (dict | None): weights of :class:`BoxSetLoss <mmpt.models.losses.BoxSetLoss>`.
        **kwargs (Any): ``checkpoint``, ``task_encoder``, ``frozen``, ``data_preprocessor`` of the base class.
    """

    def __init__(
        self,
        num_classes: int,
        num_queries: int = 256,
        yaw_bins: int = 0,
        scale: float = 4.0,
        encoder: Mapping[str, Any] | None = None,
        head: Mapping[str, Any] | None = None,
        loss: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **kwargs)
        self.num_classes, self.num_queries, self.yaw_bins, self.scale = num_classes, num_queries, yaw_bins, scale
        self.head = DetectionHead(self.encoder.dim, num_classes, yaw_bins, **(head or {}))
        self.loss = BoxSetLoss(**(loss or {}))

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list[PointDataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Contract 2 in.

        Args:
            inputs (dict[str, Tensor]): ``points`` (B, N, 3 + F), metres.
            data_samples (list[PointDataSample] | None): with ``boxes`` and ``box_labels`` for the loss, boxes of label
                -1 left out; ``predict`` writes to them.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            dict | list[PointDataSample] | BoxPredictions: ``loss``, the mean over the blocks of the head, and its terms
            of the last block, ``class``, ``box`` and ``yaw``; samples with ``predicted_boxes`` (Q, 7), metres, and
            ``box_scores`` (Q, K), probabilities that leave the rest to no object; or the answers of the last block, in
            units of ``scale``.

        Raises:
            ValueError: an unknown mode; scenes of fewer than Q points; for the loss, a sample without boxes, with more
                than Q, or with a label that is none.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
        points = inputs['points']
        truth = self._targets(data_samples, points.device) if mode == 'loss' else None
        points = torch.cat([points[..., :3] / self.scale, points[..., 3:]], dim=-1)
        tokens = self.encode(points)
        places = points[..., :3].contiguous()
        answers = self.head(tokens, gather(places, farthest_point_sample(places, self.num_queries)))
        if mode == 'tensor':
            return answers[-1]
        if mode == 'predict':
            return self._write(answers[-1], data_samples)
        terms = [self._terms(found, *truth) for found in answers]
        # Global tokens are not read, but every parameter takes part in every step.
        unread = 0 * sum(value.sum() for value in tokens.globals.values())
        loss = sum(sum(values.values()) for values in terms) / len(terms) + unread
        return {'loss': loss, **{name: value.detach() for name, value in terms[-1].items()}}

    def _terms(self, found: BoxPredictions, boxes: list[Tensor], labels: list[Tensor]) -> dict[str, Tensor]:
        """Averaged over ranks, as gradients are, these are means over all queries and all boxes of the batch."""
        sums = self.loss(found, boxes, labels)
        world = rank_and_world()[1]
        queries, count = all_reduce_sum(sums['class_total']), all_reduce_sum(sums['box_total']).clamp(min=1)
        # Scenes without a box: the layers for boxes take part with nothing.
        idle = 0 * (found.boxes.sum() + found.yaw_logits.sum() + found.yaw_rests.sum())
        return {
            'class': sums['class'] * world / queries.clamp(min=torch.finfo(queries.dtype).tiny),
            'box': sums['box'] * world / count + idle,
            'yaw': sums['yaw'] * world / count,
        }

    def _write(self, found: BoxPredictions, samples: list[PointDataSample] | None) -> list[PointDataSample]:
        boxes = torch.cat([found.boxes * self.scale, found.yaw()[..., None]], dim=-1)
        scores = found.logits.softmax(-1)[..., :-1]
        samples = samples or [PointDataSample() for _ in boxes]
        for sample, box, score in zip(samples, boxes, scores):
            sample.predicted_boxes, sample.box_scores = box, score
        return samples

    def _targets(
        self, samples: list[PointDataSample] | None, device: torch.device
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Boxes (M, 7) in units of ``scale``, and their labels, of every scene; checked on the host."""
        boxes, labels = [], []
        for sample in samples or [PointDataSample()]:
            name = sample.get('sample_id', '?')
            if 'boxes' not in sample or 'box_labels' not in sample:
                raise ValueError(
                    f'SetDetector learns from boxes and their labels, sample {name!r} has none; use data with `boxes` '
                    "(ScanNet with variant='det18', SyntheticRooms)."
                )
            known = sample.box_labels >= 0
            own, label = sample.boxes[known], sample.box_labels[known]
            if len(own) and int(label.max()) >= self.num_classes:
                raise ValueError(
                    f'sample {name!r} has a box of class {int(label.max())}, expected 0 to {self.num_classes - 1}, or '
                    '-1 for unknown; make model.num_classes agree with the data.'
                )
            if len(own) > self.num_queries:
                raise ValueError(
                    f'sample {name!r} has {len(own)} boxes, but SetDetector asks for {self.num_queries} only; set '
                    'model.num_queries to at least as many.'
                )
            own = own if self.yaw_bins else _along_axes(own)
            boxes.append(torch.cat([own[:, :6] / self.scale, own[:, 6:]], dim=1).to(device))
            labels.append(label.to(device))
        return boxes, labels


def _along_axes(boxes: Tensor) -> Tensor:
    """The smallest boxes of yaw 0 that hold boxes (M, 7)."""
    cos, sin = boxes[:, 6].cos().abs(), boxes[:, 6].sin().abs()
    x, y, z = boxes[:, 3:6].unbind(1)
    size = torch.stack([cos * x + sin * y, sin * x + cos * y, z], dim=1)
    return torch.cat([boxes[:, :3], size, torch.zeros_like(boxes[:, 6:])], dim=1)
