"""Colours and saving that all pictures share; matplotlib is imported where used and never through pyplot."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpt.utils.io import atomic_write

__all__ = [
    'AXIS_GREY',
    'CLOUD_COLORS',
    'SERIES_COLORS',
    'figure_png',
    'figure_to_array',
    'new_figure',
    'new_grid',
    'quiet_axes',
    'save_figure',
]

# Mid tones, legible on white and on near black alike: a picture does not know which page it will stand on.
AXIS_GREY = '#7d8590'
SERIES_COLORS = ('#2f81c4', '#dd6b20', '#2a9d78', '#b0619f', '#c79100', '#6f7fd6', '#8c6d5a', '#5b9aa0')
CLOUD_COLORS = {'input': '#5f86ad', 'visible': '#2a9d78', 'reconstructed': '#dd6b20', 'context': '#8a929c'}
_DPI = 150


def new_figure(width: float, height: float) -> Any:
    """A transparent figure of the given inches that no window and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    return figure


def new_grid(what: str, names: Sequence[str], titles: Mapping[str, str], below: float = 0.0) -> tuple[Any, Any]:
    """A transparent figure of square panels.

    Args:
        what (str): what is shown, for the error.
        names (Sequence[str]): of the rows; written beside them, as far as there is room.
        titles (Mapping[str, str]): of the columns -> their colours.
        below (float): inches that are left for a legend.

    Returns:
        tuple[Figure, ndarray]: matplotlib's, not shown anywhere, and its axes (rows, columns).

    Raises:
        ValueError: there is no row.
    """
    if not names:
        raise ValueError(f'A picture of {what} needs at least one shape or scene.')
    height = 2.4 * len(names) + 0.3 + below
    figure = new_figure(7.2, height)
    axes = figure.subplots(len(names), len(titles), squeeze=False)
    for axis, name in zip(axes[:, 0], names):
        axis.set_ylabel(name[:24], color=AXIS_GREY, fontsize=8)
    for axis, (title, color) in zip(axes[0], titles.items()):
        axis.set_title(title, color=color, fontsize=12, fontweight='bold')
    figure.subplots_adjust(left=0.05, right=0.99, top=1 - 0.32 / height, bottom=0.04 + below / height, wspace=0.02)
    return figure, axes


def quiet_axes(axis: Any, title: str, grid: str = 'y', size: float = 8, title_size: float = 11) -> None:
    """Two spines, a faint grid, one grey that both light and dark pages carry.

    Args:
        axis (Axes): matplotlib's, changed in place.
        title (str): above it, on the left.
        grid (str): ``x`` or ``y``, the axis whose values have lines.
        size (float): of the labels of ticks, in points.
        title_size (float): of the title, in points.
    """
    axis.set_title(title, fontsize=title_size, color=AXIS_GREY, fontweight='bold', loc='left')
    axis.tick_params(which='both', colors=AXIS_GREY, labelsize=size)
    axis.grid(axis=grid, color=AXIS_GREY, alpha=0.25, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.patch.set_alpha(0)
    for side, spine in axis.spines.items():
        spine.set(visible=side in ('left', 'bottom'), color=AXIS_GREY)


def figure_png(figure: Any) -> bytes:
    """The figure as PNG with transparency."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=_DPI)
    return buffer.getvalue()


def save_figure(path: str | os.PathLike[str], figure: Any) -> None:
    """Write the figure as PNG, whole or not at all; the folder is made."""
    atomic_write(figure_png(figure), path)


def figure_to_array(figure: Any) -> NDArray[np.uint8]:
    """The figure on white, (H, W, 3) uint8 RGB, as TensorBoard takes it."""
    figure.canvas.draw()
    rgba = np.asarray(figure.canvas.buffer_rgba()).astype(np.float32)
    alpha = rgba[..., 3:] / 255
    return (rgba[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
