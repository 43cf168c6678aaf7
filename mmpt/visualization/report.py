"""A report as one HTML file that needs no network: text, tables, commands, pictures, curves."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Protocol

from mmpt.utils.io import atomic_write

from .page import PAGE, POLICY, STYLE
from .scalars import Curve
from .svg import line_chart

__all__ = ['Block', 'Code', 'Curves', 'Picture', 'Section', 'Table', 'Text', 'write_report']


class Block(Protocol):
    """Anything that a section holds.

    A block may have ``style`` and ``script`` (str), which the page carries once, and ``blocks`` that it holds itself.
    """

    def html(self) -> str:
        """The block as HTML, with all text from outside escaped."""


@dataclass(frozen=True)
class Text:
    """Paragraphs, parted by empty lines.

    Attributes:
        text (str): plain text.
        note (bool): small and grey, for protocols and remarks.
    """

    text: str
    note: bool = False

    def html(self) -> str:
        """One ``p`` for each paragraph."""
        kind = ' class="note"' if self.note else ''
        return ''.join(f'<p{kind}>{escape(part)}</p>' for part in self.text.split('\n\n') if part.strip())


@dataclass(frozen=True)
class Code:
    """Commands or a config, set as they are.

    Attributes:
        text (str): plain text.
        summary (str): with it the block is folded under this line.
    """

    text: str
    summary: str = ''

    def html(self) -> str:
        """A ``pre`` that scrolls sideways."""
        pre = f'<pre tabindex="0"><code>{escape(self.text)}</code></pre>'
        return f'<details><summary>{escape(self.summary)}</summary>{pre}</details>' if self.summary else pre


@dataclass(frozen=True)
class Table:
    """A table; numbers stand right, floats with three decimals, None as a dash.

    Attributes:
        header (Sequence[str]): column titles.
        rows (Sequence[Sequence]): cells.
        caption (str): above the table.
        strong (Sequence[int]): rows set in bold, 0-based.
        right (Sequence[int]): columns of text that stand right and unbroken as numbers do, 0-based.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ''
    strong: Sequence[int] = ()
    right: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Refuse rows that do not fit the header."""
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f'The table has {len(self.header)} columns, but a row has {len(row)} cells: {row!r}.')

    def html(self) -> str:
        """A ``table`` in a box that scrolls sideways on a phone."""
        head = ''.join(
            f'<th scope="col"{_number_class(i in self.right or any(_is_number(row[i]) for row in self.rows))}>'
            f'{escape(str(title))}</th>'
            for i, title in enumerate(self.header)
        )
        body = ''.join(
            f'<tr{" class=strong" if i in self.strong else ""}>'
            f'{"".join(_cell(cell, j in self.right) for j, cell in enumerate(row))}</tr>'
            for i, row in enumerate(self.rows)
        )
        caption = f'<caption>{escape(self.caption)}</caption>' if self.caption else ''
        return (
            f'<div class="scroll" tabindex="0"><table>{caption}<thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody></table></div>'
        )


@dataclass(frozen=True)
class Picture:
    """A PNG, embedded.

    Attributes:
        path (str): the file, read when the report is written.
        alt (str): what it shows, for who cannot see it.
        caption (str): below the picture.
    """

    path: str | os.PathLike[str]
    alt: str
    caption: str = ''

    def html(self) -> str:
        """A ``figure`` with the picture as a data URI."""
        data = Path(self.path).read_bytes()
        if not data.startswith(b'\x89PNG'):
            raise ValueError(f'{self.path} is not a PNG; a report embeds PNG pictures.')
        # Fewer page pixels than the picture has (bytes 16 to 19 of a PNG): sharp on dense screens too.
        width = round(int.from_bytes(data[16:20], 'big') / 1.5)
        source = base64.b64encode(data).decode('ascii')
        caption = f'<figcaption>{escape(self.caption)}</figcaption>' if self.caption else ''
        image = f'<img alt="{escape(self.alt)}" width="{width}" src="data:image/png;base64,{source}">'
        return f'<figure>{image}{caption}</figure>'


@dataclass(frozen=True)
class Curves:
    """Line charts side by side.

    Attributes:
        charts (Mapping[str, Mapping[str, Curve]]): title -> name -> curve.
        x_label (str): what the steps count, in the singular.
        log_y (bool | None): see :func:`~mmpt.visualization.svg.line_chart`.
    """

    charts: Mapping[str, Mapping[str, Curve]]
    x_label: str = 'iteration'
    log_y: bool | None = None

    def html(self) -> str:
        """One inline SVG per chart."""
        charts = ''.join(line_chart(title, c, self.x_label, self.log_y) for title, c in self.charts.items())
        return f'<div class="charts">{charts}</div>'


@dataclass(frozen=True)
class Section:
    """A titled part of the report.

    Attributes:
        title (str): heading.
        blocks (Sequence[Block]): ``Text``, ``Code``, ``Table``, ``Picture``, ``Curves`` or a block of your own.
    """

    title: str
    blocks: Sequence[Block]


def write_report(
    path: str | os.PathLike[str],
    title: str,
    sections: Sequence[Section],
    *,
    summary: str = '',
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a report that opens anywhere: one file, no network, light and dark, readable on a phone.

    Args:
        path (str): the HTML file; replaced whole or not at all, its folder is made.
        title (str): heading of the page.
        sections (Sequence[Section]): in order.
        summary (str): what was found, in a sentence or two, under the heading.
        facts (Mapping[str, str] | None): what ran, on what machine and versions, how long; shown as a list.
    """
    links = ''.join(f'<li><a href="#part{i}">{escape(s.title)}</a></li>' for i, s in enumerate(sections))
    listed = ''.join(f'<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>' for name, value in (facts or {}).items())
    parts = ''.join(
        f'<section id="part{i}"><h2>{escape(s.title)}</h2>{"".join(block.html() for block in s.blocks)}</section>'
        for i, s in enumerate(sections)
    )
    blocks = list(_all_blocks(block for section in sections for block in section.blocks))
    scripts = _once(blocks, 'script')
    page = PAGE.format(
        title=escape(title),
        # What the page may load: what is written in it, and nothing else.
        policy=POLICY if scripts else POLICY.replace("script-src 'unsafe-inline'", "script-src 'none'"),
        style=STYLE + ''.join(_once(blocks, 'style')),
        scripts=''.join(f'<script>{script}</script>' for script in scripts),
        summary=f'<p class="lead">{escape(summary)}</p>' if summary else '',
        facts=f'<dl class="facts">{listed}</dl>' if listed else '',
        links=f'<nav aria-label="Sections"><ul>{links}</ul></nav>' if len(sections) > 1 else '',
        parts=parts,
    )
    atomic_write(page.encode('utf-8'), path)


def _all_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Blocks with those inside them."""
    for block in blocks:
        yield block
        yield from _all_blocks(getattr(block, 'blocks', ()))


def _once(blocks: Iterable[Block], name: str) -> list[str]:
    """What blocks ask the page to carry, each text once."""
    return list(dict.fromkeys(filter(None, (getattr(block, name, '') for block in blocks))))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number_class(number: bool) -> str:
    return ' class="number"' if number else ''


def _cell(value: Any, right: bool) -> str:
    if value is None:
        return f'<td{_number_class(True)}>–</td>'
    text = f'{value:.3f}' if isinstance(value, float) else str(value)
    return f'<td{_number_class(right or _is_number(value))}>{escape(text)}</td>'
