"""Line charts as inline SVG: small, sharp at any width, coloured by the page's own variables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from .scalars import Curve

__all__ = ['Scale', 'bounds', 'line_chart']

_WIDTH, _HEIGHT = 400, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 18, 10, 26
_MAX_POINTS = 300


def line_chart(title: str, curves: Mapping[str, Curve], x_label: str = 'iteration', log_y: bool | None = None) -> str:
    """A chart with its title and legend; the legend gives each curve's last value.

    Args:
        title (str): caption.
        curves (Mapping[str, Curve]): name -> curve; empty ones are left out.
        x_label (str): what the steps count.
        log_y (bool | None): logarithmic values; None: where all are positive and span more than a factor of 20.

    Returns:
        str: an HTML ``figure``; series i is drawn in the CSS variable ``--s<i>``.
    """
    curves = {name: curve for name, curve in curves.items() if curve.steps}
    if not curves:
        return f'<figure class="chart"><figcaption>{escape(title)}</figcaption><p class="note">no values</p></figure>'
    values = [value for curve in curves.values() for value in curve.values]
    if log_y is None:
        log_y = min(values) > 0 and max(values) > 20 * min(values)
    steps = [step for curve in curves.values() for step in curve.steps]
    across = Scale(min(steps), max(steps), _LEFT, _WIDTH - _RIGHT)
    up = Scale(*bounds(values, log_y), _HEIGHT - _BOTTOM, _TOP, log_y)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in up.ticks(5):
        y = up(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in across.ticks(4):
        parts.append(f'<text x="{across(tick):.1f}" y="{_HEIGHT - 9}" text-anchor="middle">{tick:g}</text>')
    legend = []
    for i, (name, curve) in enumerate(curves.items()):
        color = f'var(--s{i % 8})'
        parts.append(_path(curve, across, up, color))
        legend.append(
            f'<li><span class="swatch" style="background:{color}"></span>{escape(name)} '
            f'<b>{curve.values[-1]:.3g}</b></li>'
        )
    parts.append('</svg>')
    scale = f'over {x_label}s, log scale' if log_y else f'over {x_label}s'
    return (
        f'<figure class="chart"><figcaption>{escape(title)} <small>{escape(scale)}</small></figcaption>'
        f'<ul class="legend">{"".join(legend)}</ul>{"".join(parts)}</figure>'
    )


class Scale:
    """Maps values to pixels, linearly or by logarithm.

    Args:
        low, high (float): values at the two ends; equal ones are parted.
        start, end (float): their pixels.
        log (bool): by logarithm.
    """

    def __init__(self, low: float, high: float, start: float, end: float, log: bool = False) -> None:
        self.log = log
        self.low, self.high = low, high if high > low else low + (abs(low) or 1.0)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = math.log(value) if self.log else value
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, wanted: int) -> Sequence[float]:
        """About ``wanted`` round values inside; powers of ten on a logarithmic scale that holds two of them."""
        if self.log:
            powers = [10.0**k for k in range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)]
            if len(powers) > 1:
                return powers[:: math.ceil(len(powers) / wanted)]
        raw = (self.high - self.low) / wanted
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        # Rounded, because multiples of 0.1 are not round in binary.
        return [round(k * step, 12) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def bounds(values: Sequence[float], log: bool) -> tuple[float, float]:
    """Extremes with a little room; zero is shown where it is near."""
    low, high = min(values), max(values)
    if log:
        return low / 1.15, high * 1.15
    room = 0.06 * (high - low) or 0.06 * (abs(high) or 1.0)
    return (0.0 if 0 <= low < 0.5 * high else low - room), high + room


def _path(curve: Curve, across: Scale, up: Scale, color: str) -> str:
    stride = max(1, math.ceil(len(curve.steps) / _MAX_POINTS))
    # Counted from the end, so that the last value is always drawn.
    points = list(zip(curve.steps, curve.values))[::-1][::stride][::-1]
    places = [f'{across(step):.1f},{up(value):.1f}' for step, value in points]
    line = f'<polyline points="{" ".join(places)}" style="stroke:{color}"/>'
    if len(points) > 20:
        return line
    dots = (place.split(',') for place in places)
    return line + ''.join(f'<circle cx="{x}" cy="{y}" r="2.5" style="fill:{color}"/>' for x, y in dots)
