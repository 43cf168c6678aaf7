"""Boxes that turn about the up axis: how much two of them share, and how well ranked ones find the true ones."""

from __future__ import annotations

import numpy as np

__all__ = ['average_precision', 'box_iou']

_CORNERS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of the volumes of upright boxes, exact whatever their yaw.

    Args:
        boxes (ndarray): (N, 7) centre, size, and yaw about the third axis in radians.
        others (ndarray): (M, 7).

    Returns:
        ndarray: (N, M) float64 in [0, 1]; 0 for boxes without a volume.
    """
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    low = np.maximum((boxes[:, 2] - boxes[:, 5] / 2)[:, None], others[:, 2] - others[:, 5] / 2)
    high = np.minimum((boxes[:, 2] + boxes[:, 5] / 2)[:, None], others[:, 2] + others[:, 5] / 2)
    height = np.maximum(high - low, 0)
    # Polygons are cut only where the circles around them meet.
    away = np.linalg.norm(boxes[:, None, :2] - others[:, :2], axis=2)
    reach = np.linalg.norm(boxes[:, 3:5], axis=1)[:, None] + np.linalg.norm(others[:, 3:5], axis=1)
    floors, other_floors = _footprints(boxes), _footprints(others)
    area = np.zeros(away.shape)
    for row, column in np.argwhere((height > 0) & (2 * away < reach)):
        area[row, column] = _shared_area(floors[row], other_floors[column])
    shared = area * height
    union = boxes[:, 3:6].prod(axis=1)[:, None] + others[:, 3:6].prod(axis=1) - shared
    return shared / np.maximum(union, np.finfo(np.float64).tiny)


def average_precision(ious: list[np.ndarray], scores: list[np.ndarray], threshold: float) -> tuple[float, float]:
    """Area under the precision of one class over its recall, as PASCAL VOC 2010 and ScanNet count it.

    Candidates of all scenes are taken from the best to the worst score, those of one score in the order they come in.
    Each means the true box of its scene that it shares most with: it is right where that is more than ``threshold`` and
    no candidate before it has found this box. Precision at a recall is the best at this recall or a higher one.

    Args:
        ious (list[ndarray]): for each scene (Q, M), candidates with true boxes of the class; M may be 0.
        scores (list[ndarray]): for each scene (Q,).
        threshold (float): in [0, 1).

    Returns:
        tuple[float, float]: average precision and the recall of all candidates, in [0, 1]; NaN where there is no box.
    """
    boxes = np.array([table.shape[1] for table in ious])
    if not boxes.sum():
        return float('nan'), float('nan')
    order = np.argsort(-np.concatenate(scores), kind='stable')
    # The number of the box meant among those of all scenes, and what is shared with it; nothing where there is no box.
    starts = np.cumsum(boxes) - boxes
    meant = np.concatenate(
        [start + (t.argmax(1) if t.shape[1] else np.zeros(len(t), int)) for start, t in zip(starts, ious)]
    )[order]
    shared = np.concatenate([table.max(axis=1, initial=0.0) for table in ious])[order]
    close = np.flatnonzero(shared > threshold)
    found = close[np.unique(meant[close], return_index=True)[1]]
    right = np.zeros(len(order))
    right[found] = 1
    hits = np.cumsum(right)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(precision[right > 0].sum() / boxes.sum()), len(found) / int(boxes.sum())


def _footprints(boxes: np.ndarray) -> np.ndarray:
    """(N, 7) -> (N, 4, 2) corners, counterclockwise."""
    cos, sin = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
    return (_CORNERS * boxes[:, None, 3:5]) @ turn.transpose(0, 2, 1) + boxes[:, None, :2]


def _shared_area(polygon: np.ndarray, other: np.ndarray) -> float:
    """Area of what two convex polygons (n, 2), counterclockwise, share: one is cut along every edge of the other."""
    for start, end in zip(other, np.roll(other, -1, axis=0)):
        edge = end - start
        # Positive inside of the edge.
        side = edge[0] * (polygon[:, 1] - start[1]) - edge[1] * (polygon[:, 0] - start[0])
        kept = []
        for number, here in enumerate(side):
            before = side[number - 1]
            if here * before < 0:
                kept.append(polygon[number] + here / (here - before) * (polygon[number - 1] - polygon[number]))
            if here >= 0:
                kept.append(polygon[number])
        if len(kept) < 3:
            return 0.0
        polygon = np.array(kept)
    x, y = (polygon - polygon[0]).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
