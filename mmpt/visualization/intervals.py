"""Rows of dots with intervals beside a control, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import ClassVar, NamedTuple

from .svg import Scale

__all__ = ['IntervalRow', 'Intervals']

_WIDTH, _ROW, _TOP, _BOTTOM = 400, 27, 8, 40
_LEFT, _RIGHT = 104, 46


class IntervalRow(NamedTuple):
    """One line of the chart.

    Attributes:
        title (str): at the left.
        mean (float): the large dot, and the figure at the right.
        dots (Sequence[float]): one a seed, small.
        low, high (float | None): ends of the interval; None for none.
        series (int): colour, ``--s<series>``.
    """

    title: str
    mean: float
    dots: Sequence[float] = ()
    low: float | None = None
    high: float | None = None
    series: int = 0


@dataclass(frozen=True)
class Intervals:
    """A dot and an interval a row over a common scale, the spread of the control as a band behind them.

    Attributes:
        title (str): what is measured.
        rows (Sequence[IntervalRow]): at least one, from top to bottom.
        band (tuple[float, float, float] | None): lowest, mean and highest of the control.
        band_title (str): what the band is, at its foot.
    """

    title: str
    rows: Sequence[IntervalRow]
    band: tuple[float, float, float] | None = None
    band_title: str = 'untrained'
    style: ClassVar[str] = """
.chart .band { fill: var(--quiet); fill-opacity: .22; }
.chart .middle { stroke: var(--quiet); stroke-width: 1.2; stroke-dasharray: 3 3; }
.chart text.name { fill: var(--text); font-size: 12.5px; }
.chart text.value { fill: var(--text); font-size: 12.5px; font-weight: 600; font-variant-numeric: tabular-nums; }
"""

    def __post_init__(self) -> None:
        """Refuse a chart of nothing."""
        if not self.rows:
            raise ValueError('Intervals need at least one row.')

    def html(self) -> str:
        """A ``figure`` with an inline SVG; the pointer on a row shows its figures."""
        values = [v for row in self.rows for v in (row.mean, *row.dots, row.low, row.high) if v is not None]
        values += self.band or ()
        room = 0.06 * (max(values) - min(values)) or 0.02
        across = Scale(min(values) - room, max(values) + room, _LEFT, _WIDTH - _RIGHT)
        foot = _TOP + _ROW * len(self.rows)
        parts = [self._band(across, foot)] if self.band else []
        for tick in across.ticks(4):
            x = across(tick)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{foot}"/>')
            parts.append(f'<text x="{x:.1f}" y="{foot + 15}" text-anchor="middle">{tick:g}</text>')
        for place, row in enumerate(self.rows):
            parts.append(_line(row, across, _TOP + _ROW * (place + 0.5)))
        height = foot + _BOTTOM
        return (
            f'<figure class="chart"><figcaption>{escape(self.title)}</figcaption><svg viewBox="0 0 {_WIDTH} {height}" '
            f'role="img" aria-label="{escape(self.title)}">{"".join(parts)}</svg></figure>'
        )

    def _band(self, across: Scale, foot: float) -> str:
        assert self.band is not None
        low, mean, high = (across(value) for value in self.band)
        width = max(high - low, 1.5)
        said = f'{self.band_title}: {self.band[1]:.3f} ({self.band[0]:.3f} to {self.band[2]:.3f})'
        # Not over the edge, however near the band is to it.
        x = min(max(mean, _LEFT + 10), _WIDTH - 92)
        return (
            f'<rect class="band" x="{low:.1f}" y="{_TOP}" width="{width:.1f}" height="{foot - _TOP}">'
            f'<title>{escape(said)}</title></rect>'
            f'<line class="middle" x1="{mean:.1f}" x2="{mean:.1f}" y1="{_TOP}" y2="{foot}"/>'
            f'<text x="{x:.1f}" y="{foot + 32}" text-anchor="middle">{escape(self.band_title)} '
            f'{self.band[1]:.3f}</text>'
        )


def _line(row: IntervalRow, across: Scale, y: float) -> str:
    color = f'var(--s{row.series})'
    said = f'{row.title}: {row.mean:.3f}'
    parts = [f'<text class="name" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(row.title)}</text>']
    parts.append(f'<text class="value" x="{_WIDTH}" y="{y + 4:.1f}" text-anchor="end">{row.mean:.3f}</text>')
    if row.low is not None and row.high is not None:
        low, high = across(row.low), across(row.high)
        said += f', interval {row.low:.3f} to {row.high:.3f}'
        parts.append(f'<path d="M{low:.1f} {y}H{high:.1f}" style="stroke:{color};stroke-width:2"/>')
        ends = f'M{low:.1f} {y - 4}v8M{high:.1f} {y - 4}v8'
        parts.append(f'<path d="{ends}" style="stroke:{color};stroke-width:2"/>')
    if row.dots:
        said += f', seeds {", ".join(f"{value:.3f}" for value in row.dots)}'
    parts += [
        f'<circle cx="{across(value):.1f}" cy="{y + 7.5}" r="2.2" style="fill:{color};fill-opacity:.7"/>'
        for value in row.dots
    ]
    parts.append(f'<circle cx="{across(row.mean):.1f}" cy="{y}" r="4.6" style="fill:{color}"/>')
    return f'<g><title>{escape(said)}</title>{"".join(parts)}</g>'
