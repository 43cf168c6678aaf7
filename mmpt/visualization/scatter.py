"""Features in two dimensions, coloured by class: PNG, and inline SVG for a report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .style import AXIS_GREY, SERIES_COLORS, new_figure, save_figure

__all__ = ['Scatter', 'save_scatter']

# Classes beyond the colours take another sign.
_MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X')
_SIZE, _MARGIN = 640, 16


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

    def html(self) -> str:
        """An inline SVG with the names of the classes in it."""
        low, high = self.places.min(axis=0), self.places.max(axis=0)
        span = np.where(high > low, high - low, 1)
        pixels = _MARGIN + (self.places - low) / span * (_SIZE - 2 * _MARGIN)
        dots = ''.join(
            f'<circle cx="{x:.1f}" cy="{_SIZE - y:.1f}" r="3.4" style="fill:{_variable(label)};fill-opacity:.75">'
            f'<title>{escape(f"{_name(label, self.names)}: {name}")}</title></circle>'
            for (x, y), label, name in zip(pixels, self.labels, self.ids)
        )
        # There are more classes than colours, so each is named where its middle is.
        middles = ''.join(
            f'<text x="{x:.1f}" y="{_SIZE - y:.1f}" text-anchor="middle">{escape(_name(label, self.names))}</text>'
            for label in np.unique(self.labels[self.labels >= 0])
            for x, y in [_middle(pixels[self.labels == label])]
        )
        return (
            f'<figure class="chart"><figcaption>{escape(self.title)}</figcaption>'
            f'<svg viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="{escape(self.title)}">{dots}{middles}</svg>'
            '</figure>'
        )


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
