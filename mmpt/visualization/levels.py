"""Values at a few named levels (severities, shares of the labels) with their spread, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import ClassVar, NamedTuple

from .svg import Scale, bounds

__all__ = ['LevelChart', 'LevelLine', 'Levels']

_WIDTH, _HEIGHT = 320, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 12, 8, 26


class LevelLine(NamedTuple):
    """One line of a chart.

    Attributes:
        values (Sequence[float]): one a level.
        low, high (Sequence[float] | None): edges of its band; None for none.
    """

    values: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


class LevelChart(NamedTuple):
    """A chart of its own levels.

    Attributes:
        levels (Sequence[str]): names below the axis, equally far from each other.
        lines (Mapping[str, LevelLine]): by name; the legend gives the first and the last value.
        about (str): what the levels are, beside the title.
    """

    levels: Sequence[str]
    lines: Mapping[str, LevelLine]
    about: str = ''


@dataclass(frozen=True)
class Levels:
    """Charts side by side that share one scale, so that they can be compared.

    Attributes:
        charts (Mapping[str, LevelChart]): by title; at least one.
    """

    charts: Mapping[str, LevelChart]
    style: ClassVar[str] = """
.levels { grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); }
.levels:has(> :only-child) { grid-template-columns: minmax(0, 30rem); }
.chart .spread { stroke: none; fill-opacity: .2; }
.chart .level { fill-opacity: 1; stroke: var(--back); stroke-width: 1.2; }
"""

    def __post_init__(self) -> None:
        """Refuse lines that do not fit their levels."""
        if not self.charts:
            raise ValueError('Levels need at least one chart.')
        for title, chart in self.charts.items():
            for name, line in chart.lines.items():
                if any(len(part) != len(chart.levels) for part in line if part is not None):
                    raise ValueError(f'{title}, {name}: {len(chart.levels)} levels, but not as many values.')

    def html(self) -> str:
        """One inline SVG per chart."""
        lines = [line for chart in self.charts.values() for line in chart.lines.values()]
        values = [value for line in lines for part in line if part is not None for value in part]
        up = Scale(*bounds(values, False), _HEIGHT - _BOTTOM, _TOP)
        return f'<div class="charts levels">{"".join(_chart(title, c, up) for title, c in self.charts.items())}</div>'


def _chart(title: str, chart: LevelChart, up: Scale) -> str:
    across = Scale(-0.2, len(chart.levels) - 0.8, _LEFT, _WIDTH - _RIGHT)
    parts = []
    for tick in up.ticks(5):
        y = up(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for place, level in enumerate(chart.levels):
        x = across(place)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 9}" text-anchor="middle">{escape(level)}</text>')
    legend = []
    for i, (name, line) in enumerate(chart.lines.items()):
        color = f'var(--s{i % 8})'
        parts.append(_line(name, chart.levels, line, across, up, color))
        legend.append(
            f'<li><span class="swatch" style="background:{color}"></span>{escape(name)} '
            f'<b>{line.values[0]:.3f}</b> to <b>{line.values[-1]:.3f}</b></li>'
        )
    about = f' <small>{escape(chart.about)}</small>' if chart.about else ''
    return (
        f'<figure class="chart"><figcaption>{escape(title)}{about}</figcaption><ul class="legend">{"".join(legend)}'
        f'</ul><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        '</figure>'
    )


def _line(name: str, levels: Sequence[str], line: LevelLine, across: Scale, up: Scale, color: str) -> str:
    places = [f'{across(i):.1f},{up(value):.1f}' for i, value in enumerate(line.values)]
    drawn = f'<polyline points="{" ".join(places)}" style="stroke:{color}"/>'
    if line.low is not None and line.high is not None:
        edge = [f'{across(i):.1f},{up(value):.1f}' for i, value in enumerate(line.low)]
        edge += [f'{across(i):.1f},{up(value):.1f}' for i, value in enumerate(line.high)][::-1]
        drawn = f'<polygon class="spread" points="{" ".join(edge)}" style="fill:{color}"/>{drawn}'
    for i, (level, value) in enumerate(zip(levels, line.values)):
        spread = '' if line.low is None or line.high is None else f' ({line.low[i]:.3f} to {line.high[i]:.3f})'
        said = f'{name}, {level}: {value:.3f}{spread}'
        x, y = places[i].split(',')
        drawn += f'<circle class="level" cx="{x}" cy="{y}" r="4" style="fill:{color}">'
        drawn += f'<title>{escape(said)}</title></circle>'
    return drawn
