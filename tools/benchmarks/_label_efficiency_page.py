"""What tools/benchmarks/label_efficiency.py writes: the page and the curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmpt.visualization.style import AXIS_GREY, SERIES_COLORS, new_figure, quiet_axes, save_figure

__all__ = ['SIDES', 'draw_curves', 'markdown']

#: Sides of the comparison -> how they are called and drawn.
SIDES = {'pretrained': ('pre-trained', SERIES_COLORS[0]), 'scratch': ('from scratch', AXIS_GREY)}
_HEAD = """# Label efficiency

{about}Fine-tuning on the generated classes with a share of the labels, from the checkpoint and from scratch: mean of
{seeds} seeds (lowest to highest). {train:,} training shapes before a share is taken, {test:,} test shapes.

```bash
{command}
```

Checkpoint: `{checkpoint}`; recipe: `{config}`, the same for both sides, tuned for neither.
Protocol: {protocol}.

![accuracy over the share of the labels](label_efficiency.png)

| labels | shapes | passes | {sides} | difference [95 % interval] |
|---|---|---|---|---|---|
"""


def markdown(result: Mapping[str, Any]) -> str:
    """The page.

    Args:
        result (Mapping): label_efficiency.json.
    """
    head = _HEAD.format(
        about='A smoke run: too short to learn anything. ' if result['smoke'] else '',
        seeds=len(result['seeds']),
        sides=' | '.join(title for title, _ in SIDES.values()),
        **result['shapes'],
        **{key: result[key] for key in ('command', 'checkpoint', 'config', 'protocol')},
    )
    lines = [head.rstrip()]
    for row in result['rows']:
        cells = [f'{row[side]["mean"]:.3f} ({row[side]["min"]:.3f} to {row[side]["max"]:.3f})' for side in SIDES]
        gain = row['difference']
        cells.append(f'{gain["mean"]:+.3f} [{gain["low"]:+.3f}, {gain["high"]:+.3f}]')
        lines.append(f'| {100 * row["fraction"]:g} % | {row["shapes"]:,} | {row["passes"]:.1f} | {" | ".join(cells)} |')
    commands = [f'{entry["command"]}' for row in result['rows'] for side in SIDES for entry in row[side]['runs']]
    lines += ['', '## Commands', '', '```bash', *commands, '```']
    # Where mmpt lies on that machine is nobody's business.
    machine = {**result['environment'], 'mmpt': result['environment']['mmpt'].partition(' ')[0]}
    lines += ['', '## Machine', '', *(f'* {what}: {value}' for what, value in machine.items()), '']
    return '\n'.join(lines)


def draw_curves(path: Path, result: Mapping[str, Any]) -> None:
    """Accuracy over the share of the labels, each side with the range of its seeds.

    Args:
        path (Path): the PNG.
        result (Mapping): label_efficiency.json.
    """
    figure = new_figure(5.2, 3.6)
    axis = figure.subplots()
    shares = [100 * row['fraction'] for row in result['rows']]
    for side, (title, color) in SIDES.items():
        mean, low, high = ([row[side][key] for row in result['rows']] for key in ('mean', 'min', 'max'))
        axis.fill_between(shares, low, high, color=color, alpha=0.25, linewidth=0)
        axis.plot(shares, mean, color=color, linewidth=1.8, marker='o', markersize=4, label=title)
    axis.set_xscale('log')
    axis.set_xticks(shares, [f'{share:g} %' for share in shares])
    axis.minorticks_off()
    axis.set_xlabel('share of the labels', fontsize=9, color=AXIS_GREY)
    quiet_axes(axis, 'accuracy on the test part')
    axis.set_ylim(0, 1)
    axis.legend(fontsize=9, frameon=False, labelcolor=AXIS_GREY, loc='lower right')
    figure.tight_layout()
    save_figure(path, figure)
