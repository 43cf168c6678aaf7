"""Clouds of a page that the reader turns: a canvas each, the panels of a row together."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .clouds3d_script import SCRIPT, STYLE
from .reconstruction import ReconstructionItem
from .retrieval import RetrievalRow

__all__ = ['CloudPanel', 'CloudRow', 'Clouds3D', 'reconstruction_row', 'retrieval_row']

#: Roles of points; each is a CSS variable ``--cloud-<role>`` of the page.
ROLES = ('input', 'visible', 'reconstructed', 'context')
_HINT = (
    '<p class="note">Drag sideways to turn, with a mouse also up and down. Arrow keys turn a row that has the focus, '
    'Home or a double click turns it back.</p>'
    '<noscript><p class="note">The 3D views need JavaScript; nothing else on this page does.</p></noscript>'
)
_SIGNS = {'own': '●', 'class': '✓', 'other': '✗'}
_MEANINGS = {'own': 'its own', 'class': 'of its class', 'other': 'of another class'}


class CloudPanel(NamedTuple):
    """One view of a row.

    Attributes:
        caption (str): below it.
        clouds (Sequence[tuple]): (points (N, 3) float in a y-up frame, one of :data:`ROLES`); empty with a picture.
        picture (ndarray | None): (H, W, 3) uint8 RGB, shown in the place of clouds.
        mark (str): one of :data:`~mmpt.visualization.retrieval.MARKS` for what was found, or empty.
    """

    caption: str
    clouds: Sequence[tuple[NDArray[Any], str]] = ()
    picture: NDArray[np.uint8] | None = None
    mark: str = ''


class CloudRow(NamedTuple):
    """Panels that turn together.

    Attributes:
        title (str): above the row.
        panels (Sequence[CloudPanel]): from left to right.
        alone (bool): each panel has its own middle and scale; otherwise all share those of the first cloud, so that
            they can be compared point by point.
    """

    title: str
    panels: Sequence[CloudPanel]
    alone: bool = False


@dataclass(frozen=True)
class Clouds3D:
    """Rows of clouds that turn by pointer, touch and arrow keys; nothing moves by itself.

    Coordinates are embedded as int16, 1/32767 of the radius of the row: eight bytes of text a point.

    Attributes:
        rows (Sequence[CloudRow]): at least one.
        hint (bool): say above the first row how they are turned.
    """

    rows: Sequence[CloudRow]
    hint: bool = True
    style: ClassVar[str] = STYLE
    script: ClassVar[str] = SCRIPT

    def __post_init__(self) -> None:
        """Refuse nothing to show, and roles without a colour."""
        if not self.rows:
            raise ValueError('Clouds3D needs at least one row.')
        for row in self.rows:
            wrong = {role for panel in row.panels for _, role in panel.clouds} - set(ROLES)
            if wrong:
                raise ValueError(f'A cloud is one of {", ".join(ROLES)}, not {", ".join(sorted(wrong))}.')

    def html(self) -> str:
        """A group of canvases a row; the page's script draws into them."""
        above = _HINT if self.hint else ''
        return above + ''.join(map(_row, self.rows))


def reconstruction_row(item: ReconstructionItem) -> CloudRow:
    """Input, visible and reconstructed of one shape, in one frame."""
    visible, predicted = item.visible.reshape(-1, 3), item.reconstructed.reshape(-1, 3)
    seen, hidden = len(item.visible), len(item.reconstructed)
    panels = [
        CloudPanel(f'input, {len(item.input)} points', [(item.input, 'input')]),
        CloudPanel(f'visible, {seen} of {seen + hidden} patches', [(visible, 'visible')]),
        CloudPanel(f'reconstructed, {hidden} patches predicted', [(visible, 'context'), (predicted, 'reconstructed')]),
    ]
    return CloudRow(item.name, panels)


def retrieval_row(row: RetrievalRow) -> CloudRow:
    """A query and its hits."""

    def panel(thing: NDArray[Any], name: str, mark: str = '') -> CloudPanel:
        if thing.dtype == np.uint8:
            return CloudPanel(name, picture=thing, mark=mark)
        return CloudPanel(name, [(thing, 'input')], mark=mark)

    hits = [panel(*hit) for hit in zip(row.hits, row.hit_names, row.marks)]
    return CloudRow(row.title, [panel(row.query, f'query: {row.name}'), *hits], alone=True)


def _row(row: CloudRow) -> str:
    first = next((panel.clouds[0][0] for panel in row.panels if panel.clouds), None)
    panels = ''.join(_panel(row, panel, first) for panel in row.panels)
    label = f'{row.title}: clouds that arrow keys turn'
    return (
        f'<div class="clouds"><p>{escape(row.title)}</p><div class="views" data-clouds tabindex="0" role="group" '
        f'aria-label="{escape(label)}" style="--n:{len(row.panels)}">{panels}</div></div>'
    )


def _panel(row: CloudRow, panel: CloudPanel, first: NDArray[Any] | None) -> str:
    told = f'{row.title}, {panel.caption}'
    if panel.picture is not None:
        view = f'<img alt="{escape(told)}" src="data:image/png;base64,{_png(panel.picture)}">'
    else:
        points = np.concatenate([cloud for cloud, _ in panel.clouds])
        packed = _packed(points, points if row.alone or first is None else first)
        parts = ' '.join(f'{role}:{len(cloud)}' for cloud, role in panel.clouds)
        view = f'<canvas role="img" aria-label="{escape(told)}" data-parts="{parts}" data-points="{packed}"></canvas>'
    mark = f' class="{panel.mark}"' if panel.mark else ''
    meaning = f' title="{_MEANINGS[panel.mark]}"' if panel.mark else ''
    sign = f'<b>{_SIGNS[panel.mark]}</b> ' if panel.mark else ''
    return f'<figure{mark}{meaning}>{view}<figcaption>{sign}{escape(panel.caption)}</figcaption></figure>'


def _packed(points: NDArray[Any], frame: NDArray[Any]) -> str:
    """Base64 of int16 (N, 3), little-endian, in the ball around the box of ``frame`` ((M, 3)).

    Points outside the ball, such as wrong predictions, are moved to its surface.
    """
    middle = (frame.min(axis=0) + frame.max(axis=0)) / 2
    radius = float(np.linalg.norm(frame - middle, axis=1).max()) or 1.0
    unit = (points - middle) / radius
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1)
    return base64.b64encode((unit * 32767).round().astype('<i2').tobytes()).decode('ascii')


def _png(picture: NDArray[np.uint8]) -> str:
    import cv2

    return base64.b64encode(cv2.imencode('.png', picture[:, :, ::-1])[1].tobytes()).decode('ascii')
