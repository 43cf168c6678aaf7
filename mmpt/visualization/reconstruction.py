"""Pictures of clouds: input, what the encoder saw, what the model made of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .style import AXIS_GREY, CLOUD_COLORS, new_grid, save_figure

__all__ = ['ReconstructionItem', 'draw_cloud', 'draw_points', 'draw_reconstruction', 'save_reconstruction']


class ReconstructionItem(NamedTuple):
    """One shape and its reconstruction, all in the frame of the cloud (y up).

    Attributes:
        input (ndarray): (N, 3) the cloud.
        visible (ndarray): (V, S, 3) the patches that the encoder saw.
        reconstructed (ndarray): (M, S, 3) the hidden patches as predicted.
        name (str): written beside the row.
    """

    input: NDArray[np.float32]
    visible: NDArray[np.float32]
    reconstructed: NDArray[np.float32]
    name: str = ''


def save_reconstruction(path: str | os.PathLike[str], items: Sequence[ReconstructionItem]) -> None:
    """Write a PNG with one row per shape: input, visible, reconstructed.

    The background is transparent, and distance is shown by fading, so that the picture serves light and dark pages.

    Args:
        path (str): the PNG; its folder is made.
        items (Sequence[ReconstructionItem]): at least one shape.
    """
    save_figure(path, draw_reconstruction(items))


def draw_reconstruction(items: Sequence[ReconstructionItem]) -> Any:
    """The figure of :func:`save_reconstruction`.

    Args:
        items (Sequence[ReconstructionItem]): at least one shape.

    Returns:
        Figure: matplotlib's, not shown anywhere.
    """
    titles = {title: CLOUD_COLORS[title] for title in ('input', 'visible', 'reconstructed')}
    figure, axes = new_grid('reconstructions', [item.name for item in items], titles)
    for row, item in zip(axes, items):
        view = _View.of(item.input)
        visible, predicted = item.visible.reshape(-1, 3), item.reconstructed.reshape(-1, 3)
        draw_cloud(row[0], [(item.input, 'input')], view)
        draw_cloud(row[1], [(visible, 'visible')], view)
        draw_cloud(row[2], [(visible, 'context'), (predicted, 'reconstructed')], view)
        seen, hidden = len(item.visible), len(item.reconstructed)
        row[1].set_xlabel(f'{seen} of {seen + hidden} patches', color=AXIS_GREY, fontsize=8)
        row[2].set_xlabel(f'{hidden} patches predicted', color=AXIS_GREY, fontsize=8)
    return figure


class _View(NamedTuple):
    """A camera without perspective; all panels of a row share one, so that they can be compared.

    Attributes:
        right, up, toward (ndarray): (3,) axes of the picture, the last one points at the viewer.
        middle (ndarray): (3,) middle of the picture in (right, up, toward).
        scale (float): half the width of the picture.
        depth (float): half the depth of the cloud.
    """

    right: NDArray[Any]
    up: NDArray[Any]
    toward: NDArray[Any]
    middle: NDArray[Any]
    scale: float
    depth: float

    @classmethod
    def of(cls, points: NDArray[Any], azimuth: float = 35.0, elevation: float = 22.0) -> _View:
        """From the front left and above, fitted to (N, 3) points in a y-up frame; angles in degrees."""
        side, lift = np.deg2rad(azimuth), np.deg2rad(elevation)
        toward = np.array([np.sin(side) * np.cos(lift), np.sin(lift), np.cos(side) * np.cos(lift)])
        right = np.array([np.cos(side), 0.0, -np.sin(side)])
        up = np.cross(toward, right)
        seen = points @ np.stack([right, up, toward], axis=1)
        low, high = seen.min(axis=0), seen.max(axis=0)
        half = (high - low) / 2
        return cls(right, up, toward, (low + high) / 2, float(half[:2].max()) or 1.0, float(half[2]) or 1.0)

    def project(self, points: NDArray[Any]) -> NDArray[Any]:
        """(N, 3) points to (N, 3): across and up in [-1, 1], and nearness in [0, 1], where the cloud itself lies."""
        seen = points @ np.stack([self.right, self.up, self.toward], axis=1) - self.middle
        near = np.clip(seen[:, 2] / (2 * self.depth) + 0.5, 0, 1)
        return np.column_stack([seen[:, :2] / self.scale, near])


def draw_cloud(axis: Any, clouds: Sequence[tuple[NDArray[Any], str]], view: _View | None = None) -> None:
    """Draw clouds into one panel; near points hide far ones, which are smaller and fainter.

    Args:
        axis (Axes): the panel.
        clouds (Sequence[tuple]): at least one (points (N, 3) in a y-up frame, role in ``CLOUD_COLORS``).
        view (_View | None): None fits the first cloud.
    """
    from matplotlib.colors import to_rgb

    points = np.concatenate([cloud for cloud, _ in clouds])
    color = np.concatenate([np.tile(to_rgb(CLOUD_COLORS[role]), (len(cloud), 1)) for cloud, role in clouds])
    faint = np.concatenate([np.full(len(cloud), 0.45 if role == 'context' else 1.0) for cloud, role in clouds])
    draw_points(axis, points, color, faint, view or _View.of(clouds[0][0]))


def draw_points(
    axis: Any,
    points: NDArray[Any],
    color: NDArray[Any],
    faint: NDArray[Any] | float = 1.0,
    view: _View | None = None,
) -> None:
    """Draw points in colours of their own into one panel; near points hide far ones, which are smaller and fainter.

    Args:
        axis (Axes): the panel.
        points (ndarray): (N, 3) in a y-up frame.
        color (ndarray): (N, 3) RGB in [0, 1].
        faint (ndarray | float): (N,) or one factor of the opacity.
        view (_View | None): None fits the points.
    """
    across, up, near = (view or _View.of(points)).project(points).T
    rgba = np.column_stack([color, (0.3 + 0.65 * near**1.5) * faint])
    size = (1.6 + 6.5 * near) * np.sqrt(1024 / max(len(near), 1024))
    order = np.argsort(near, kind='stable')
    axis.scatter(across[order], up[order], s=size[order], c=rgba[order], linewidths=0)
    axis.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect='equal', xticks=[], yticks=[])
    axis.patch.set_alpha(0)
    for side in axis.spines.values():
        side.set_visible(False)
