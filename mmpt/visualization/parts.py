"""Pictures of objects by part: the truth, and what a model says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .reconstruction import draw_points
from .style import AXIS_GREY, SERIES_COLORS, new_grid

__all__ = ['PartItem', 'draw_parts']


class PartItem(NamedTuple):
    """One shape.

    Attributes:
        points (ndarray): (N, 3) in a y-up frame.
        parts (ndarray): (N,) integers from 0, the true parts.
        predicted (ndarray): (N,) likewise, the parts that a model says.
        name (str): written beside the row.
    """

    points: NDArray[np.float32]
    parts: NDArray[np.int64]
    predicted: NDArray[np.int64]
    name: str = ''


def draw_parts(items: Sequence[PartItem]) -> Any:
    """One row per shape: true parts, predicted parts, and where the two differ; a part has one colour in its row.

    Args:
        items (Sequence[PartItem]): at least one shape.

    Returns:
        Figure: matplotlib's, not shown anywhere; its background is transparent.

    Raises:
        ValueError: there is nothing to draw.
    """
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(color) for color in SERIES_COLORS])
    right, wrong = np.array(to_rgb(AXIS_GREY)), np.array(to_rgb('#d1242f'))
    titles = dict.fromkeys(('true parts', 'predicted parts', 'where they differ'), AXIS_GREY)
    figure, axes = new_grid('parts', [item.name for item in items], titles)
    for row, item in zip(axes, items):
        same = item.parts == item.predicted
        draw_points(row[0], item.points, palette[item.parts % len(palette)])
        draw_points(row[1], item.points, palette[item.predicted % len(palette)])
        draw_points(row[2], item.points, np.where(same[:, None], right, wrong), np.where(same, 0.45, 1.0))
        row[2].set_xlabel(f'{100 * same.mean():.0f} % of points agree', color=AXIS_GREY, fontsize=8)
    return figure
