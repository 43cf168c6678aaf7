"""Colours and saving that all pictures share; matplotlib is imported where used and never through pyplot."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpt.utils.io import atomic_write

__all__ = ['AXIS_GREY', 'CLOUD_COLORS', 'SERIES_COLORS', 'figure_png', 'figure_to_array', 'new_figure', 'save_figure']

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
