"""Confusion matrices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .style import AXIS_GREY, SERIES_COLORS, new_figure, save_figure

__all__ = ['save_confusion']

# Up to so many classes the counts are written into the cells.
_COUNTED = 30


def save_confusion(path: str | os.PathLike[str], confusion: NDArray[Any], names: Sequence[str]) -> None:
    """Write a PNG: a row for each true class, shaded by the share of its shapes, with counts in the cells.

    Args:
        path (str): the PNG; its folder is made.
        confusion (ndarray): (K, K) counts, true class by predicted class.
        names (Sequence[str]): K names.
    """
    from matplotlib.colors import LinearSegmentedColormap

    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    edge = 0.27 * len(names) + 1.8
    figure = new_figure(edge, edge)
    axis = figure.subplots()
    # From nothing at all, so that the picture serves light and dark pages.
    shades = LinearSegmentedColormap.from_list('shades', [f'{SERIES_COLORS[0]}00', SERIES_COLORS[0]])
    axis.imshow(share, cmap=shades, vmin=0, vmax=1)
    places = range(len(names))
    axis.set_xticks(places, names, rotation=90, fontsize=7)
    axis.set_yticks(places, names, fontsize=7)
    axis.tick_params(colors=AXIS_GREY, length=0)
    axis.set_xlabel('predicted', color=AXIS_GREY)
    axis.set_ylabel('true', color=AXIS_GREY)
    axis.patch.set_alpha(0)
    for side in axis.spines.values():
        side.set_color(AXIS_GREY)
    if len(names) <= _COUNTED:
        for row, column in zip(*np.nonzero(confusion)):
            color = 'white' if share[row, column] > 0.6 else AXIS_GREY
            axis.text(column, row, int(confusion[row, column]), ha='center', va='center', fontsize=6, color=color)
    figure.tight_layout()
    save_figure(path, figure)
