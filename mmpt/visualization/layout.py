"""Blocks of a report that hold other blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .report import Block

__all__ = ['Beside', 'Part']


@dataclass(frozen=True)
class Part:
    """A titled part of a section.

    Attributes:
        title (str): heading of the third level.
        blocks (Sequence[Block]): in order.
        folded (bool): shown when the reader opens it.
    """

    title: str
    blocks: Sequence[Block]
    folded: bool = False

    def html(self) -> str:
        """A heading and what follows, or both as ``details``."""
        inside = ''.join(block.html() for block in self.blocks)
        if self.folded:
            return f'<details><summary>{escape(self.title)}</summary>{inside}</details>'
        return f'<h3>{escape(self.title)}</h3>{inside}'


@dataclass(frozen=True)
class Beside:
    """Blocks side by side, below each other where there is no room.

    Attributes:
        blocks (Sequence[Block]): from left to right.
    """

    blocks: Sequence[Block]

    def html(self) -> str:
        """A grid of columns."""
        return f'<div class="charts">{"".join(block.html() for block in self.blocks)}</div>'
