"""Pictures of completion: what was given, what a model makes of it, and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .reconstruction import _View, draw_cloud
from .style import AXIS_GREY, CLOUD_COLORS, new_grid

__all__ = ['CompletionItem', 'draw_completion']


class CompletionItem(NamedTuple):
    """One shape, its clouds in one frame (y up).

    Attributes:
        partial (ndarray): (N, 3) what was given.
        predicted (ndarray): (K, 3) what a model says the whole is; points of ``partial`` in it are drawn faintly.
        complete (ndarray): (M, 3) what it is.
        name (str): written beside the row.
    """

    partial: NDArray[np.float32]
    predicted: NDArray[np.float32]
    complete: NDArray[np.float32]
    name: str = ''


def draw_completion(items: Sequence[CompletionItem]) -> Any:
    """One row per shape: partial, predicted and true cloud, all seen from one place.

    Args:
        items (Sequence[CompletionItem]): at least one shape.

    Returns:
        Figure: matplotlib's, not shown anywhere; its background is transparent.

    Raises:
        ValueError: there is nothing to draw.
    """
    titles = {'partial': 'visible', 'predicted': 'reconstructed', 'true': 'input'}
    titles = {title: CLOUD_COLORS[role] for title, role in titles.items()}
    figure, axes = new_grid('completion', [item.name for item in items], titles)
    for row, item in zip(axes, items):
        view = _View.of(item.complete)
        seen = set(map(tuple, item.partial.tolist()))
        given = np.array([point in seen for point in map(tuple, item.predicted.tolist())])
        draw_cloud(row[0], [(item.partial, 'visible')], view)
        draw_cloud(row[1], [(item.predicted[given], 'context'), (item.predicted[~given], 'reconstructed')], view)
        draw_cloud(row[2], [(item.complete, 'input')], view)
        row[1].set_xlabel(f'{(~given).sum()} points added', color=AXIS_GREY, fontsize=8)
    return figure
