"""What tools/benchmarks/robustness.py writes: the page, the curves, and the sheet that shows the severities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmpt.evaluation import CORRUPTIONS, corrupt
from mmpt.ops import rasterize
from mmpt.visualization import SheetItem, save_sheet
from mmpt.visualization.style import AXIS_GREY, SERIES_COLORS, new_figure, quiet_axes, save_figure

__all__ = ['draw_corruptions', 'draw_curves', 'markdown', 'slug']

MEASURES = {'svm': 'linear SVM', 'knn': '1-NN'}
# Pixels of a tile, and where its camera stands.
_TILE, _VIEW, _DISTANCE = 128, (np.radians(35.0), np.radians(20.0)), 3.1
_HEAD = """# Scores on damaged shapes

{about}Classifiers are fitted on clean training shapes, once for each encoder; test shapes alone are damaged, the same
ones for every encoder, and brought to the unit sphere again. A cell is *value of the severity*: encoder / mean of three
untrained encoders (lowest to highest), each control the better of raw and calibrated batch statistics.

```bash
{command}
```

Checkpoint: `{checkpoint}`. What the severities look like:

![corruptions](corruptions.png)

| corruption | what is done |
|---|---|
"""


def slug(name: str) -> str:
    """A data set's name as part of a file name."""
    return re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')


def markdown(result: Mapping[str, Any]) -> str:
    """The page.

    Args:
        result (Mapping): robustness.json.
    """
    about = 'A smoke run: a few shapes, which say nothing. ' if result['smoke'] else ''
    lines = [_HEAD.format(about=about, command=result['command'], checkpoint=result['checkpoint']).rstrip()]
    for name, kind in CORRUPTIONS.items():
        lines.append(f'| {name} | {(kind.damage.__doc__ or "").strip().splitlines()[0]} Severity: {kind.unit}. |')
    for name, part in result['data'].items():
        shapes = result['shapes'][name]
        of = f'{shapes["train"]:,} training and {shapes["test"]:,} test shapes'
        lines += [
            '',
            f'## {name}',
            '',
            f'{of}; {result["protocols"][name]}.',
            '',
            f'![curves](robustness-{slug(name)}.png)',
        ]
        for measure, title in MEASURES.items():
            severities = ' | '.join(map(str, result['severities']))
            lines += ['', f'| {title} | clean | {severities} |', '|---' * (2 + len(result['severities'])) + '|']
            for kind in CORRUPTIONS:
                clean = _cell(measure, part['encoder']['clean'], part['control']['clean'])
                rows = zip(part['encoder'][kind], part['control'][kind])
                cells = [f'*{ours["value"]:g}*: {_cell(measure, ours, theirs)}' for ours, theirs in rows]
                lines.append(f'| {kind} | {clean} | {" | ".join(cells)} |')
    # Where mmpt lies on that machine is nobody's business.
    machine = {**result['environment'], 'mmpt': result['environment']['mmpt'].partition(' ')[0]}
    lines += ['', '## Machine', '', *(f'* {what}: {value}' for what, value in machine.items()), '']
    return '\n'.join(lines)


def _cell(measure: str, ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    low, high = theirs[f'{measure}_min'], theirs[f'{measure}_max']
    return f'{ours[measure]:.3f} / {theirs[measure]:.3f} ({low:.3f} to {high:.3f})'


def draw_curves(path: Path, name: str, part: Mapping[str, Any]) -> None:
    """One panel for each measure and corruption: the encoder over the severities, and the band of its controls.

    Args:
        path (Path): the PNG.
        name (str): of the data set.
        part (Mapping): ``encoder`` and ``control`` of robustness.json.
    """
    figure = new_figure(2.35 * len(CORRUPTIONS) + 0.5, 2.5 * len(MEASURES) + 0.5)
    axes = figure.subplots(len(MEASURES), len(CORRUPTIONS), sharey=True, squeeze=False)
    for line, titles, (measure, title) in zip(axes, (list(CORRUPTIONS), [''] * len(CORRUPTIONS)), MEASURES.items()):
        for axis, (kind, about) in zip(line, CORRUPTIONS.items()):
            ours, theirs = ([part[who]['clean'], *part[who][kind]] for who in ('encoder', 'control'))
            steps = range(len(ours))
            low, high = ([row[f'{measure}_{end}'] for row in theirs] for end in ('min', 'max'))
            axis.fill_between(steps, low, high, color=AXIS_GREY, alpha=0.3, linewidth=0)
            axis.plot(steps, [row[measure] for row in theirs], color=AXIS_GREY, linewidth=1.4, label='untrained')
            axis.plot(
                steps,
                [row[measure] for row in ours],
                color=SERIES_COLORS[0],
                linewidth=1.8,
                marker='o',
                markersize=3,
                label='pre-trained',
            )
            axis.set_xticks(list(steps), ['clean', *(f'{row["value"]:g}' for row in ours[1:])])
            axis.set_xlabel(about.unit, fontsize=7, color=AXIS_GREY)
        for axis, kind in zip(line, titles):
            quiet_axes(axis, kind, size=6, title_size=9)
            axis.set_ylim(0, 1)
        line[0].set_ylabel(f'accuracy, {title}', fontsize=8, color=AXIS_GREY)
    axes[0][0].legend(fontsize=7, frameon=False, labelcolor=AXIS_GREY, loc='lower left')
    figure.suptitle(name, fontsize=11, color=AXIS_GREY, fontweight='bold')
    figure.tight_layout()
    save_figure(path, figure)


def draw_corruptions(path: Path, shapes: Mapping[str, np.ndarray]) -> None:
    """Write a sheet: of two shapes of each data set, clean and in all severities of every corruption.

    Args:
        path (Path): the PNG.
        shapes (Mapping): name of the data set -> (N, P, 3) float32 test shapes.
    """
    items = []
    for name, kind in CORRUPTIONS.items():
        for data, points in shapes.items():
            # Those that are measured, damaged alike: their draws depend on how many shapes there are.
            chosen = np.array([len(points) // 3, 2 * len(points) // 3])
            damaged = [corrupt(points, name, severity)[chosen] for severity in range(1 + len(kind.values))]
            for row, place in enumerate(chosen):
                values = ', '.join(f'{value:g}' for value in kind.values)
                title = f'{name} ({kind.unit}: clean, {values}); {data} {place}'
                items.append(SheetItem(title, [_draw(clouds[row]) for clouds in damaged]))
    save_sheet(items, path)


def _draw(points: np.ndarray) -> np.ndarray:
    cloud = torch.from_numpy(points)[None]
    picture = rasterize(cloud, None, *_VIEW, _DISTANCE, _TILE, radius=1.6).rgb[0, 0]
    return picture.permute(1, 2, 0).numpy()
