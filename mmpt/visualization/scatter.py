"""Features in two dimensions, coloured by class: PNG, and inline SVG for a report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .style import AXIS_GREY, SERIES_COLORS, new_figure, save_figure

__all__ = ['Scatter', 'save_scatter']

# Classes beyond the colours take another sign.
_MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X')
_SIZE, _MARGIN, _LETTER = 480, 14, 14
# The same as relative paths: circle, triangle, square, diamond.
_SIGNS = ('m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0', 'm0-3.9l3.6 6.6h-7.2z', 'm-2.8-2.8h5.6v5.6h-5.6z', 'm0-4l4 4l-4 4l-4-4z')


def save_scatter(
    path: str | os.PathLike[str], places: NDArray[Any], labels: NDArray[Any], names: Sequence[str]
) -> None:
    """Write a PNG: one sign a shape, the name of a class on the shape nearest to its median.

    Args:
        path (str): the PNG; its folder is made.
        places (ndarray): (N, 2).
        labels (ndarray): (N,) int, -1 for none.
        names (Sequence[str]): of the labels.
    """
    from matplotlib.patheffects import withStroke

    figure = new_figure(7.5, 7.5)
    axis = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    for label in np.unique(labels):
        own = places[labels == label]
        color = _color(label)
        marker = _MARKERS[max(label, 0) // len(SERIES_COLORS) % len(_MARKERS)]
        axis.scatter(*own.T, s=14, c=color, marker=marker, linewidths=0, alpha=0.75)
    for label in np.unique(labels[labels >= 0]):
        # After all signs, so that none covers it.
        text = axis.text(
            *_middle(places[labels == label]),
            _name(label, names),
            color=_color(label),
            fontsize=8,
            fontweight='bold',
            ha='center',
            va='center',
        )
        text.set_path_effects([withStroke(linewidth=2, foreground='white')])
    axis.set(xticks=[], yticks=[])
    axis.set_frame_on(False)
    save_figure(path, figure)


@dataclass(frozen=True)
class Scatter:
    """The same for a page: the pointer on a sign shows which shape it is.

    Attributes:
        title (str): what is shown.
        places (ndarray): (N, 2).
        labels (ndarray): (N,) int, -1 for none.
        names (Sequence[str]): of the labels.
        ids (Sequence[str]): of the shapes.
    """

    title: str
    places: NDArray[Any]
    labels: NDArray[Any]
    names: Sequence[str]
    ids: Sequence[str]
    style: ClassVar[str] = """
.map g { fill-opacity: .75; }
.map svg:has(g:hover) g:not(:hover) { fill-opacity: .12; }
.map text {
  fill: var(--text); font-size: 14px; font-weight: 600; paint-order: stroke; stroke: var(--back); stroke-width: 3.5px;
  stroke-linejoin: round; pointer-events: none;
}
"""

    def html(self) -> str:
        """An inline SVG with the names of the classes in it."""
        low, high = self.places.min(axis=0), self.places.max(axis=0)
        span = np.where(high > low, high - low, 1)
        pixels = _MARGIN + (self.places - low) / span * (_SIZE - 2 * _MARGIN)
        pixels[:, 1] = _SIZE - pixels[:, 1]
        groups = ''.join(self._group(label, pixels) for label in np.unique(self.labels))
        return (
            f'<figure class="chart map"><figcaption>{escape(self.title)}</figcaption>'
            f'<svg viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="{escape(self.title)}">{groups}'
            f'{self._names(pixels)}</svg></figure>'
        )

    def _group(self, label: int, pixels: NDArray[Any]) -> str:
        """The signs of one class."""
        name = _name(label, self.names)
        sign = _SIGNS[max(label, 0) // len(SERIES_COLORS) % len(_SIGNS)]
        dots = ''.join(
            f'<path d="M{pixels[row, 0]:.1f} {pixels[row, 1]:.1f}{sign}"><title>{escape(f"{name}: {self.ids[row]}")}'
            '</title></path>'
            for row in np.flatnonzero(self.labels == label)
        )
        return f'<g style="fill:{_variable(label)}">{dots}</g>'

    def _names(self, pixels: NDArray[Any]) -> str:
        """There are more classes than colours, so each is named where its middle is, or just below another's name."""
        present = np.unique(self.labels[self.labels >= 0])
        middles = [(label, *_middle(pixels[self.labels == label])) for label in present]
        placed: list[tuple[float, float, float]] = []
        texts = []
        for label, x, y in sorted(middles, key=lambda item: float(item[2])):
            name = _name(label, self.names)
            half = 0.31 * _LETTER * len(name) + 3
            x, y = min(max(x, half), _SIZE - half), max(y, _LETTER)
            while near := [b for a, b, wide in placed if abs(a - x) < half + wide and abs(b - y) < _LETTER]:
                y = max(near) + _LETTER
            placed.append((x, y, half))
            texts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(name)}</text>')
        return ''.join(texts)


def _middle(places: NDArray[Any]) -> NDArray[Any]:
    """The place nearest to the median: a class in two groups has nothing between them."""
    middle: NDArray[Any] = places[np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin()]
    return middle


def _name(label: int, names: Sequence[str]) -> str:
    return names[label] if 0 <= label < len(names) else 'no class' if label < 0 else f'class {label}'


def _color(label: int) -> str:
    return AXIS_GREY if label < 0 else SERIES_COLORS[label % len(SERIES_COLORS)]


def _variable(label: int) -> str:
    return 'var(--quiet)' if label < 0 else f'var(--s{label % len(SERIES_COLORS)})'
