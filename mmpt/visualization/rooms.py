"""Pictures of rooms: classes of points, and boxes of objects, true ones and those that a model says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .reconstruction import _View, draw_points
from .style import AXIS_GREY, CLOUD_COLORS, new_grid

__all__ = ['BoxItem', 'RoomItem', 'draw_boxes', 'draw_rooms']

# Points of a room that are drawn: more of them make the picture slower, and no clearer.
_DRAWN = 16000
# Metres from the near side of a room, seen from a corner, that are left out; and the share of its height on top.
_WALL, _TOP = 0.15, 0.12
_ABOVE, _CORNER = (0.0, 90.0), (35.0, 42.0)
# Corners of a box of edge 1 around the origin, and the pairs of them that an edge joins.
_CORNERS = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))
_EDGES = np.array([(a, b) for a in range(8) for b in range(a) if (_CORNERS[a] != _CORNERS[b]).sum() == 1])


class RoomItem(NamedTuple):
    """One room.

    Attributes:
        points (ndarray): (N, 3), z up, metres.
        colors (ndarray | None): (N, 3) RGB, 0 to 255.
        semantic (ndarray): (N,) integers, the true classes; -1 for none.
        predicted (ndarray): (N,) likewise, the classes that a model says.
        name (str): written beside the row.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8] | None
    semantic: NDArray[np.int64]
    predicted: NDArray[np.int64]
    name: str = ''


class BoxItem(NamedTuple):
    """One room.

    Attributes:
        points (ndarray): (N, 3), z up, metres.
        boxes (ndarray): (M, 7) true centres, sizes and yaws, in the frame of the points.
        labels (ndarray): (M,) integers, their classes; -1 for unknown.
        predicted (ndarray): (Q, 7) boxes that a model says.
        scores (ndarray): (Q, K) how likely each of them is an object of each class.
        name (str): written beside the row.
    """

    points: NDArray[np.float32]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    predicted: NDArray[np.float32]
    scores: NDArray[np.float32]
    name: str = ''


def draw_rooms(items: Sequence[RoomItem], classes: Sequence[str] = ()) -> Any:
    """Two rows per room, from above and from a corner: its colours, true classes and predicted classes.

    What is near the ceiling is left out so that one sees in, and from the corner the two walls on this side as well.

    Args:
        items (Sequence[RoomItem]): at least one room.
        classes (Sequence[str]): names, for the legend.

    Returns:
        Figure: matplotlib's, not shown anywhere; its background is transparent.

    Raises:
        ValueError: there is nothing to draw.
    """
    names = [name for item in items for name in (item.name, '')]
    titles = dict.fromkeys(('colours', 'true classes', 'predicted classes'), AXIS_GREY)
    figure, axes = new_grid('rooms', names, titles, below=0.55)
    for place, item in enumerate(items):
        for row, (azimuth, elevation) in zip(axes[2 * place :], (_ABOVE, _CORNER)):
            shown = _inside(item.points, walls=elevation < 90)
            points = _y_up(item.points[shown])
            view = _camera(points, azimuth, elevation)
            colors = np.full((len(points), 3), 0.55) if item.colors is None else item.colors[shown] / 255
            for axis, color in zip(row, (colors, _palette(item.semantic[shown]), _palette(item.predicted[shown]))):
                draw_points(axis, points, color, view=view)
        known = item.semantic >= 0
        right = (item.semantic == item.predicted)[known].mean() if known.any() else np.nan
        axes[2 * place + 1, 2].set_xlabel(f'{100 * right:.0f} % of points agree', color=AXIS_GREY, fontsize=8)
    there = np.concatenate([np.unique(values) for item in items for values in (item.semantic, item.predicted)])
    _legend(figure, there, classes)
    return figure


def draw_boxes(items: Sequence[BoxItem], classes: Sequence[str] = (), threshold: float = 0.5) -> Any:
    """One row per room: true boxes and predicted ones from above, coloured by class, and both from a corner.

    Args:
        items (Sequence[BoxItem]): at least one room.
        classes (Sequence[str]): names, for the legend.
        threshold (float): boxes of a lower score are not drawn.

    Returns:
        Figure: matplotlib's, not shown anywhere; its background is transparent.

    Raises:
        ValueError: there is nothing to draw.
    """
    titles = {'true boxes': AXIS_GREY, 'predicted boxes': AXIS_GREY, 'both': AXIS_GREY}
    figure, axes = new_grid('boxes', [item.name for item in items], titles, below=0.55)
    seen = []
    for row, item in zip(axes, items):
        label = item.scores.argmax(axis=1)
        sure = item.scores.max(axis=1) >= threshold
        found, said = item.predicted[sure], label[sure]
        seen += [item.labels, said]
        for axis, boxes, labels in ((row[0], item.boxes, item.labels), (row[1], found, said)):
            _draw_boxes(axis, _room(axis, item.points, _ABOVE), boxes, _palette(labels))
        view = _room(row[2], item.points, _CORNER)
        for boxes, role in ((item.boxes, 'visible'), (found, 'reconstructed')):
            _draw_boxes(row[2], view, boxes, [CLOUD_COLORS[role]] * len(boxes))
        row[0].set_xlabel(f'{len(item.boxes)} boxes', color=AXIS_GREY, fontsize=8)
        row[1].set_xlabel(f'{len(found)} with a score of {threshold:g} or more', color=AXIS_GREY, fontsize=8)
        row[2].set_xlabel('green: true, orange: predicted', color=AXIS_GREY, fontsize=8)
    _legend(figure, np.unique(np.concatenate(seen)), classes)
    return figure


def _inside(points: NDArray[Any], walls: bool) -> NDArray[np.int64]:
    """Rows of the points (N, 3) to be drawn: without what hides the inside, and at most so many."""
    low, high = np.percentile(points, (1, 99), axis=0)
    kept = points[:, 2] < high[2] - _TOP * (high[2] - low[2])
    if walls:
        # The view from a corner is from where x is large and y is small.
        kept &= (points[:, 0] < high[0] - _WALL) & (points[:, 1] > low[1] + _WALL)
    rows = np.flatnonzero(kept)
    if len(rows) <= _DRAWN:
        return rows
    return np.random.default_rng(0).choice(rows, _DRAWN, replace=False)


def _y_up(points: NDArray[Any]) -> NDArray[Any]:
    """(..., 3) z up to y up, which is what the camera knows."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def _camera(points: NDArray[Any], azimuth: float, elevation: float) -> _View:
    """Fitted to (N, 3) points, y up; distance fades less than it does for an object, or the floor would be gone."""
    view = _View.of(points, azimuth, elevation)
    return view._replace(depth=3 * view.depth)


def _palette(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N, 3) colours of classes; grey for none."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    # Ten strong colours, then a light shade of each.
    pairs = colormaps['tab20'].colors
    table = np.array([*pairs[::2], *pairs[1::2], to_rgb(AXIS_GREY)])
    return table[np.where(labels < 0, len(table) - 1, labels % (len(table) - 1))]


def _legend(figure: Any, labels: NDArray[np.int64], classes: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    labels = np.unique(labels)
    names = [classes[label] if 0 <= label < len(classes) else 'none' if label < 0 else str(label) for label in labels]
    handles = [Patch(color=color, label=name) for color, name in zip(_palette(labels), names)]
    figure.legend(handles=handles, ncols=7, loc='lower center', fontsize=7, frameon=False, labelcolor=AXIS_GREY)


def _room(axis: Any, points: NDArray[Any], angles: tuple[float, float]) -> _View:
    """Draw the points of a room in grey."""
    inside = _y_up(points[_inside(points, walls=angles is _CORNER)])
    view = _camera(inside, *angles)
    draw_points(axis, inside, np.full((len(inside), 3), 0.6), 0.6, view)
    return view


def _draw_boxes(axis: Any, view: _View, boxes: NDArray[Any], colors: Any) -> None:
    """Draw the edges of boxes (M, 7) over a room, each in its colour."""
    from matplotlib.collections import LineCollection

    cos, sin = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    turn = np.zeros((len(boxes), 3, 3))
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1], turn[:, 2, 2] = cos, -sin, sin, cos, 1
    corners = (_CORNERS * boxes[:, None, 3:6]) @ turn.swapaxes(1, 2) + boxes[:, None, :3]
    for corner, color in zip(corners, colors):
        flat = view.project(_y_up(corner))[:, :2]
        axis.add_collection(LineCollection(flat[_EDGES], colors=[color], linewidths=1.1))
