"""Many small pictures with titles on one sheet."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmpt.utils.io import atomic_write

__all__ = ['SheetItem', 'save_sheet']

_TITLE, _GAP, _COLUMNS, _LETTER = 22, 12, 2, 5.9


class SheetItem(NamedTuple):
    """One strip of the sheet.

    Attributes:
        title (str): stands above it; cut where it is longer than the strip is wide.
        tiles (list[ndarray]): at least one picture, (H, W, 3) uint8 RGB, all of one height.
    """

    title: str
    tiles: list[NDArray[np.uint8]]


def save_sheet(items: Sequence[SheetItem], path: str | os.PathLike[str]) -> None:
    """Lay the strips out, two in a row, and write a PNG on white.

    Args:
        items (Sequence[SheetItem]): at least one.
        path (str): the PNG; its folder is made.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not items:
        raise ValueError('A contact sheet needs at least one shape.')
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    strips = [np.concatenate(item.tiles, axis=1) for item in items]
    tile = strips[0].shape[0]
    width = max(strip.shape[1] for strip in strips) + _GAP
    height = tile + _TITLE
    columns = min(_COLUMNS, len(items))
    rows = -(-len(items) // columns)
    canvas = np.full((rows * height, columns * width, 3), 255, np.uint8)
    places = [(k // columns * height + _TITLE, k % columns * width) for k in range(len(items))]
    for strip, (top, left) in zip(strips, places):
        canvas[top : top + tile, left : left + strip.shape[1]] = strip
    figure = Figure(figsize=(canvas.shape[1] / 100, canvas.shape[0] / 100), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(canvas, interpolation='none')
    axes.axis('off')
    letters = int((width - _GAP) / _LETTER)
    for item, (top, left) in zip(items, places):
        # A dollar sign would begin a formula.
        title = item.title.replace('$', r'\$')
        title = title if len(title) <= letters else title[: letters - 3] + '...'
        axes.text(left + 6, top - 6, title, fontsize=8, family='monospace')
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    atomic_write(buffer.getvalue(), path)
