"""Figures for reports and papers, written as PNG without a display."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from mmpt.evaluation.protocols import Spread

from .scalars import Curve, select
from .style import AXIS_GREY, SERIES_COLORS, new_figure, quiet_axes, save_figure

__all__ = ['CURVE_PANELS', 'save_curves', 'save_run_curves', 'save_scores']

CURVE_PANELS: tuple[tuple[str, str], ...] = (
    ('task', 'loss of each task'),
    ('weight', 'weight of each task'),
    ('grad_norm', 'gradient norm of each task'),
    ('probe', 'score of the encoder'),
)
"""Prefixes of logged names with the title of their panel."""


def save_curves(path: str | os.PathLike[str], curves: Mapping[str, Curve]) -> None:
    """Losses, weights, gradient norms and scores over iterations, one panel for each that was logged.

    Args:
        path (str): the PNG; its folder is made.
        curves (Mapping[str, Curve]): what ``read_scalars`` gives.
    """
    panels = [(title, select(dict(curves), prefix, skip=('svm_C',))) for prefix, title in CURVE_PANELS]
    panels = [(title, chosen) for title, chosen in panels if chosen]
    if not panels:
        raise ValueError(f'Nothing to draw: no value is named {", ".join(f"{p}/..." for p, _ in CURVE_PANELS)}.')
    _save_panels(path, panels)


def save_run_curves(path: str | os.PathLike[str], runs: Mapping[str, Mapping[str, Curve]], keys: Sequence[str]) -> None:
    """Compare runs: one panel for each logged value, one line in it for each run that logged it.

    Args:
        path (str): the PNG; its folder is made.
        runs (Mapping[str, Mapping[str, Curve]]): name of the run -> what ``read_scalars`` gives.
        keys (Sequence[str]): the values, such as ``probe/svm``.
    """
    _save_panels(path, [(key, {name: run[key] for name, run in runs.items() if key in run}) for key in keys])


def _save_panels(path: str | os.PathLike[str], panels: Sequence[tuple[str, Mapping[str, Curve]]]) -> None:
    rows = (len(panels) + 1) // 2
    columns = min(2, len(panels))
    figure = new_figure(4.6 * columns, 2.9 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for axis, (title, chosen) in zip(axes, panels):
        for color, (name, curve) in zip(_colors(len(chosen)), chosen.items()):
            marker = 'o' if len(curve.steps) < 20 else None
            axis.plot(curve.steps, curve.values, color=color, label=name, linewidth=1.6, marker=marker, markersize=3)
        if _spans_decades(chosen):
            axis.set_yscale('log')
            axis.yaxis.set_major_formatter('{x:g}')
        quiet_axes(axis, title)
        axis.set_xlabel('iteration', fontsize=9, color=AXIS_GREY)
        axis.legend(fontsize=8, frameon=False, labelcolor=AXIS_GREY)
    figure.tight_layout()
    save_figure(path, figure)


def save_scores(
    path: str | os.PathLike[str],
    scores: Mapping[str, float],
    controls: Mapping[str, Spread],
    labels: tuple[str, str] = ('pre-trained', 'random initialisation'),
) -> None:
    """Bars of each accuracy beside the mean of its controls, whose whiskers span all controls.

    Args:
        path (str): the PNG; its folder is made.
        scores (Mapping[str, float]): name -> accuracy in [0, 1].
        controls (Mapping[str, Spread]): the same names; others are not drawn.
        labels (tuple[str, str]): legend of the two bars.
    """
    names = [name for name in scores if name in controls]
    if not names:
        raise ValueError('Nothing to draw: no score has a control of the same name.')
    figure = new_figure(1.6 + 1.5 * len(names), 3.4)
    axis = figure.subplots()
    own, other = [scores[name] for name in names], [controls[name] for name in names]
    whiskers = [[c.mean - c.min for c in other], [c.max - c.mean for c in other]]
    places = range(len(names))
    left = axis.bar([i - 0.2 for i in places], own, 0.36, color=SERIES_COLORS[0], label=labels[0])
    means = [c.mean for c in other]
    right = axis.bar([i + 0.2 for i in places], means, 0.36, color=AXIS_GREY, alpha=0.55, label=labels[1])
    axis.errorbar([i + 0.2 for i in places], means, whiskers, fmt='none', color=AXIS_GREY, capsize=5, linewidth=1.5)
    axis.bar_label(left, fmt='%.3f', fontsize=9, color=SERIES_COLORS[0], padding=3)
    tops = [f'{c.mean:.3f}' for c in other]
    # Above the whisker, not above the bar, so that neither hides the other.
    for bar, control, text in zip(right, other, tops):
        axis.annotate(
            text,
            (bar.get_x() + bar.get_width() / 2, control.max),
            xytext=(0, 4),
            textcoords='offset points',
            ha='center',
            fontsize=9,
            color=AXIS_GREY,
        )
    axis.set_xticks(list(places), names)
    axis.set_ylim(0, 1.15)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1])
    quiet_axes(axis, 'accuracy on the test part')
    axis.legend(fontsize=8, frameon=False, labelcolor=AXIS_GREY, loc='upper center', ncols=2)
    figure.tight_layout()
    save_figure(path, figure)


def _spans_decades(curves: Mapping[str, Curve]) -> bool:
    """Whether a linear axis would flatten the smaller curves."""
    values = [value for curve in curves.values() for value in curve.values]
    return min(values) > 0 and max(values) > 20 * min(values)


def _colors(count: int) -> Sequence[str]:
    return [SERIES_COLORS[i % len(SERIES_COLORS)] for i in range(count)]
