"""Queries beside what was found first, the right ones marked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .reconstruction import draw_cloud
from .style import AXIS_GREY, SERIES_COLORS, new_figure, save_figure

__all__ = ['MARKS', 'RetrievalRow', 'save_retrieval']

#: What a hit can be, with its colour: the own partner, another of the class, of another class.
MARKS = {'own': SERIES_COLORS[2], 'class': SERIES_COLORS[0], 'other': SERIES_COLORS[1]}


class RetrievalRow(NamedTuple):
    """One query and its first hits.

    Attributes:
        title (str): stands before the row, such as the direction.
        query (ndarray): (N, 3) float, a cloud (y up), or (H, W, 3) uint8 RGB, a picture.
        name (str): of the query.
        hits (list[ndarray]): likewise, the most similar first.
        hit_names (list[str]): one of each hit.
        marks (list[str]): one of :data:`MARKS` of each hit.
    """

    title: str
    query: NDArray[Any]
    name: str
    hits: list[NDArray[Any]]
    hit_names: list[str]
    marks: list[str]


def save_retrieval(path: str | os.PathLike[str], rows: Sequence[RetrievalRow]) -> None:
    """Write a PNG with one row a query; frames say by colour, and names by a sign, what is right.

    Args:
        path (str): the PNG; its folder is made.
        rows (Sequence[RetrievalRow]): at least one.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not rows:
        raise ValueError('A picture of retrieval needs at least one query.')
    columns = 1 + max(len(row.hits) for row in rows)
    height = 1.75 * len(rows) + 0.45
    figure = new_figure(1.55 * columns + 0.4, height)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(axes, rows):
        _draw(line[0], row.query, row.name, None)
        line[0].set_ylabel(row.title, color=AXIS_GREY, fontsize=9)
        for axis, hit, name, mark in zip(line[1:], row.hits, row.hit_names, row.marks):
            _draw(axis, hit, name, mark)
        for axis in line[1 + len(row.hits) :]:
            axis.set_visible(False)
    axes[0][0].set_title('query', color=AXIS_GREY, fontsize=10, fontweight='bold')
    for place, axis in enumerate(axes[0][1:], start=1):
        axis.set_title(f'{place}', color=AXIS_GREY, fontsize=10, fontweight='bold')
    explained = (('own', '● its own'), ('class', '✓ of its class'), ('other', '✗ of another class'))
    for place, (mark, text) in enumerate(explained):
        figure.text(0.16 + 0.26 * place, 0.09 / height, text, color=MARKS[mark], fontsize=9)
    figure.subplots_adjust(left=0.05, right=0.99, top=1 - 0.27 / height, bottom=0.42 / height, wspace=0.08, hspace=0.16)
    save_figure(path, figure)


def _draw(axis: Any, thing: NDArray[Any], name: str, mark: str | None) -> None:
    """A cloud or a picture in a frame of the mark's colour."""
    if thing.dtype == np.uint8:
        axis.imshow(thing)
        axis.set(xticks=[], yticks=[])
    else:
        draw_cloud(axis, [(thing, 'input')])
    color = AXIS_GREY if mark is None else MARKS[mark]
    sign = {None: '', 'own': '● ', 'class': '✓ ', 'other': '✗ '}[mark]
    for side in axis.spines.values():
        side.set(visible=mark is not None, color=color, linewidth=2)
    axis.set_xlabel(f'{sign}{name[:18]}', color=color, fontsize=8, labelpad=2)
