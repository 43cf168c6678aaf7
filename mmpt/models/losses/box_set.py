"""Predicted boxes held against true ones: each true box is matched with one prediction, the others predict nothing."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

__all__ = ['BoxPredictions', 'BoxSetLoss', 'generalized_iou']


class BoxPredictions(NamedTuple):
    """What queries say, in any unit of length; T bins share half a turn, and a box of yaw y is that of y + pi too.

    Attributes:
        logits (Tensor): (..., Q, K + 1) classes, no object last.
        boxes (Tensor): (..., Q, 6) centre and size in the box's own frame.
        yaw_logits (Tensor): (..., Q, T) which bin the yaw is in; bin t is around t * pi / T. T is 0 where no box turns.
        yaw_rests (Tensor): (..., Q, T) what is to be added to the middle of each bin, in half widths of a bin.
    """

    logits: Tensor
    boxes: Tensor
    yaw_logits: Tensor
    yaw_rests: Tensor

    def yaw(self) -> Tensor:
        """(..., Q) radians in [0, pi): of the best bin; 0 where no box turns."""
        bins = self.yaw_logits.shape[-1]
        if not bins:
            return torch.zeros_like(self.boxes[..., 0])
        best = self.yaw_logits.argmax(-1, keepdim=True)
        return ((best + self.yaw_rests.gather(-1, best) / 2) * (math.pi / bins)).squeeze(-1) % math.pi


def generalized_iou(offset: Tensor, size: Tensor, other: Tensor) -> Tensor:
    """Generalized intersection over union (Rezatofighi et al., arXiv 1902.09630) of boxes along the same axes.

    Args:
        offset (Tensor): (..., 3) from the centre of the one to that of the other.
        size (Tensor): (..., 3) of the one.
        other (Tensor): (..., 3) size of the other.

    Returns:
        Tensor: (...) in (-1, 1]: 1 for the same box, below 0 for boxes far from each other.
    """
    reach = (size + other) / 2
    shared = torch.minimum(reach - offset.abs(), torch.minimum(size, other)).clamp(min=0).prod(-1)
    hull = torch.maximum(reach + offset.abs(), torch.maximum(size, other)).prod(-1)
    tiny = torch.finfo(size.dtype).tiny
    union = size.prod(-1) + other.prod(-1) - shared
    return shared / union.clamp(min=tiny) - (hull - union) / hull.clamp(min=tiny)


class BoxSetLoss(nn.Module):
    """The loss of DETR (arXiv 2005.12872) for boxes in space, one matching for every prediction of a batch.

    The matching of least cost is exact (Hungarian), on the probability of the true class, the l1 distance of centre and
    size, and the generalized IoU. This one is measured along the axes of the true box, as if the predicted one had its
    yaw: exact where the yaw is right, and the yaw has a loss of its own.

    Args:
        class_weight (float): of the cross entropy, and of the probability in the matching.
        box_weight (float): of the l1 distance; the unit of length is that of the boxes.
        giou_weight (float): of 1 - generalized IoU.
        yaw_weight (float): of the cross entropy of bins and the smooth l1 distance within the true bin.
        no_object_weight (float): weight of queries that are matched with nothing, in the cross entropy.
    """

    def __init__(
        self,
        class_weight: float = 1.0,
        box_weight: float = 5.0,
        giou_weight: float = 2.0,
        yaw_weight: float = 1.0,
        no_object_weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.class_weight, self.box_weight, self.giou_weight = class_weight, box_weight, giou_weight
        self.yaw_weight, self.no_object_weight = yaw_weight, no_object_weight

    @torch.no_grad()
    def match(self, found: BoxPredictions, boxes: list[Tensor], labels: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """The cheapest matching of each scene.

        Args:
            found (BoxPredictions): of B scenes.
            boxes (list[Tensor]): B times (M_b, 7), M_b at most Q.
            labels (list[Tensor]): B times (M_b,) int64.

        Returns:
            list[tuple[Tensor, Tensor]]: for each scene (M_b,) int64 queries in rising order, and their boxes.
        """
        # All scenes in one tensor, which is as wide as the fullest of them: the device is asked once.
        truth = nn.utils.rnn.pad_sequence(boxes, batch_first=True)[:, None]
        classes = nn.utils.rnn.pad_sequence(labels, batch_first=True)
        chance = found.logits.softmax(-1).gather(2, classes[:, None].expand(-1, found.logits.shape[1], -1))
        mine = found.boxes[:, :, None].expand(-1, -1, truth.shape[2], -1)
        l1 = (mine - truth[..., :6]).abs().sum(-1)
        cost = self.box_weight * l1 - self.class_weight * chance - self.giou_weight * _giou(mine, truth)
        # Numbers that are not finite are not for the matching to report: the loss shows them.
        table = cost.nan_to_num().cpu().numpy()
        pairs = [linear_sum_assignment(rows[:, : len(own)]) for rows, own in zip(table, boxes)]
        return [
            (torch.as_tensor(queries, device=truth.device), torch.as_tensor(rows, device=truth.device))
            for queries, rows in pairs
        ]

    def forward(self, found: BoxPredictions, boxes: list[Tensor], labels: list[Tensor]) -> dict[str, Tensor]:
        """Match, then compare.

        Args:
            found (BoxPredictions): of B scenes, float32.
            boxes (list[Tensor]): B times (M_b, 7) centre, size, yaw.
            labels (list[Tensor]): B times (M_b,) int64, 0 to K - 1.

        Returns:
            dict[str, Tensor]: the weighted sums over this rank of ``class``, ``box`` and ``yaw``, and what they are to
            be divided by: ``class_total``, the weights of all queries, and ``box_total``, the boxes.
        """
        pairs = self.match(found, boxes, labels)
        scene = torch.cat([torch.full_like(query, number) for number, (query, _) in enumerate(pairs)])
        query = torch.cat([query for query, _ in pairs])
        truth = torch.cat([own[chosen] for own, (_, chosen) in zip(boxes, pairs)])
        nothing = found.logits.shape[-1] - 1
        target = found.logits.new_full(found.logits.shape[:-1], nothing, dtype=torch.int64)
        target[scene, query] = torch.cat([own[chosen] for own, (_, chosen) in zip(labels, pairs)])
        weight = found.logits.new_ones(nothing + 1)
        weight[nothing] = self.no_object_weight
        classes = F.cross_entropy(found.logits.flatten(0, -2), target.flatten(), weight, reduction='sum')
        mine = found.boxes[scene, query]
        l1, giou = F.l1_loss(mine, truth[:, :6], reduction='sum'), (1 - _giou(mine, truth)).sum()
        turned = self._yaw(found.yaw_logits[scene, query], found.yaw_rests[scene, query], truth[:, 6])
        return {
            'class': self.class_weight * classes,
            'box': self.box_weight * l1 + self.giou_weight * giou,
            'yaw': self.yaw_weight * turned,
            'class_total': weight[target].sum(),
            'box_total': weight.new_tensor(float(len(truth))),
        }

    @staticmethod
    def _yaw(logits: Tensor, rests: Tensor, yaw: Tensor) -> Tensor:
        """Sum over (P, T) predictions of (P,) yaws."""
        bins = logits.shape[-1]
        if not bins:
            return logits.sum()
        place = yaw % math.pi * (bins / math.pi)
        nearest = place.round()
        rest = rests.gather(1, nearest.long()[:, None] % bins).squeeze(1)
        wrong = F.cross_entropy(logits, nearest.long() % bins, reduction='sum')
        return wrong + F.smooth_l1_loss(rest, 2 * (place - nearest), reduction='sum')


def _giou(mine: Tensor, truth: Tensor) -> Tensor:
    """Of predicted boxes (..., 6) and true ones (..., 7), along the axes of the true ones."""
    x, y, z = (mine[..., :3] - truth[..., :3]).unbind(-1)
    cos, sin = truth[..., 6].cos(), truth[..., 6].sin()
    offset = torch.stack([cos * x + sin * y, cos * y - sin * x, z], dim=-1)
    return generalized_iou(offset, mine[..., 3:6], truth[..., 3:6])
