"""Tables and plots of tools/benchmarks/evidence.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmpt.evaluation import Interval
from mmpt.visualization.style import AXIS_GREY, SERIES_COLORS, new_figure, quiet_axes, save_figure

__all__ = ['markdown', 'save_plots', 'text_table']

_NAMES = {'knn': '1-NN', 'svm': 'linear SVM'}
_HEAD = """# Which task helps

{about} Every row is `{named}` with the tasks that it names and {minutes:g} minutes of training on one machine
({device}; {jobs} at a time, {threads} threads each): as many updates as the median seconds of a short run, under the
same load, allow, for seeds {seeds}. {tokenizer}

A score is the mean over the seeds (lowest to highest). The control is the same encoder untrained, for each seed the
better of raw and calibrated batch statistics. Differences carry the 95 % interval of a paired bootstrap over the test
items, 10,000 draws, runs averaged first: it says how far other test shapes would move a difference, and nothing of
other seeds, for which the spread beside it stands. An interval that holds 0 is no evidence of a difference.

```bash
{command}
```
"""


def _text(value: Mapping[str, float] | None) -> str:
    return '–' if value is None else str(Interval(**value))


def text_table(result: Mapping[str, Any]) -> str:
    """For a terminal.

    Args:
        result (Mapping): as evidence.json has it.
    """
    lines = ['A smoke run: too short to learn anything.'] if result['smoke'] else []
    width = max(len(title) for title in ('control', *(row['title'] for row in result['rows']))) + 2
    for data, control in result['control'].items():
        lines += ['', f'{data}: mean over seeds, minus control and minus all three with 95 % intervals']
        head = f'{"":{width}}{"updates":>8}{"per s":>8}'
        lines.append(head + ''.join(f'{name:>12}{"- control":>26}{"- all":>26}' for name in _NAMES.values()))
        for row in result['rows']:
            line = f'{row["title"]:{width}}{row["iterations"]:8d}{row["samples_per_second"]:8.1f}'
            for metric in _NAMES:
                found = row['summary'][data][metric]
                line += f'{found["mean"]:12.3f}{_text(found["minus_control"]):>26}{_text(found["minus_all"]):>26}'
            lines.append(line)
        line = f'{"control":{width}}{"":16}'
        lines.append(line + ''.join(f'{control["summary"][metric]["mean"]:12.3f}{"":52}' for metric in _NAMES).rstrip())
    return '\n'.join(lines)


def markdown(result: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The page.

    Args:
        result (Mapping): as evidence.json has it.
        pictures (Mapping[str, str]): name of a set -> file of its plot, beside the page.
    """
    tokenizer = result['tokenizer']
    said = 'No row reads a tokenizer.'
    if tokenizer:
        said = (
            f'The tokenizer `{tokenizer["config"]}`, {tokenizer["iterations"]:,} updates in {tokenizer["minutes"]:.1f} '
            'minutes, is shared and counts for no row.'
        )
    about = 'A smoke run: too short to learn anything.' if result['smoke'] else 'Measured once.'
    known = {key: result[key] for key in ('named', 'minutes', 'device', 'jobs', 'threads', 'command')}
    lines = [_HEAD.format(about=about, tokenizer=said, seeds=', '.join(map(str, result['seeds'])), **known)]
    for data, control in result['control'].items():
        shapes = result['shapes'][data]
        lines += [
            f'## {data}',
            '',
            f'{shapes["train"]:,} training and {shapes["test"]:,} test shapes; {result["protocols"][data]}.',
            '',
        ]
        columns = ' | '.join(
            f'{name} (lowest – highest) | minus control [95 %] | minus all [95 %]' for name in _NAMES.values()
        )
        lines += [f'| row | updates | samples/s | {columns} |', '|---' * (3 + 3 * len(_NAMES)) + '|']
        for row in result['rows']:
            cells = []
            for metric in _NAMES:
                found = row['summary'][data][metric]
                # Of this row from itself there is nothing to tell.
                other = '–' if row['row'] == 'all' else _text(found['minus_all'])
                cells.append(f'{_spread(found)} | {_text(found["minus_control"])} | {other}')
            lines.append(
                f'| {row["title"]} | {row["iterations"]:,} | {row["samples_per_second"]:.0f} | {" | ".join(cells)} |'
            )
        cells = ' | '.join(f'{_spread(control["summary"][metric])} | – | –' for metric in _NAMES)
        lines += [f'| control | 0 | – | {cells} |', '', f'![{data}]({pictures[data]})', '']
    commands = [tokenizer['command']] if tokenizer else []
    commands += [run['command'] for row in result['rows'] for run in row['runs']]
    lines += ['## Commands', '', '```bash', *commands, '```', '']
    # Where mmpt lies on that machine is nobody's business.
    machine = {**result['environment'], 'mmpt': result['environment']['mmpt'].partition(' ')[0]}
    lines += ['## Machine', '', *(f'* {what}: {value}' for what, value in machine.items()), '']
    return '\n'.join(lines)


def _spread(found: Mapping[str, float]) -> str:
    return f'{found["mean"]:.3f} ({found["min"]:.3f} – {found["max"]:.3f})'


def save_plots(result: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """One PNG for each set of shapes: rows as dots, beside the band of the controls.

    Args:
        result (Mapping): as evidence.json has it.
        folder (Path): where to.

    Returns:
        dict[str, str]: name of the set -> name of the file.
    """
    names = {}
    for data in result['control']:
        names[data] = f'evidence_{re.sub(r"[^a-z0-9]+", "_", data.lower())}.png'
        figure = new_figure(9.6, 1.5 + 0.36 * len(result['rows']))
        for place, (axis, metric) in enumerate(zip(figure.subplots(1, len(_NAMES)), _NAMES)):
            _draw(axis, result, data, metric)
            if place:
                axis.set_yticklabels([])
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc='lower center', ncols=len(labels), fontsize=8, frameon=False, labelcolor=AXIS_GREY
        )
        figure.suptitle(data, fontsize=11, color=AXIS_GREY, x=0.01, ha='left')
        figure.tight_layout(rect=(0, 0.28 / figure.get_figheight(), 1, 1))
        save_figure(folder / names[data], figure)
    return names


def _draw(axis: Any, result: Mapping[str, Any], data: str, metric: str) -> None:
    control = result['control'][data]['summary'][metric]
    axis.axvspan(control['min'], control['max'], color=AXIS_GREY, alpha=0.25, linewidth=0, label='controls')
    axis.axvline(control['mean'], color=AXIS_GREY, linewidth=1.2, linestyle='--', label='their mean')
    rows = result['rows']
    for place, row in enumerate(rows):
        found, color = row['summary'][data][metric], SERIES_COLORS[0 if len(row['tasks']) < 3 else 1]
        gain = found['minus_control']
        ends = control['mean'] + gain['low'], control['mean'] + gain['high']
        first = place == 0
        axis.plot(
            ends, (place, place), color=color, linewidth=2.2, alpha=0.6, label='95 % of the gain' if first else None
        )
        seeds = [run['scores'][data][metric] for run in row['runs']]
        # A little below, where the mean does not hide them.
        low, label = [place + 0.22] * len(seeds), 'seed' if first else None
        axis.plot(seeds, low, 'o', color=color, markersize=3.5, alpha=0.55, label=label)
        axis.plot(found['mean'], place, 'D', color=color, markersize=6, label='mean' if first else None)
    axis.set_yticks(range(len(rows)), [row['title'] for row in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    quiet_axes(axis, _NAMES[metric], grid='x', size=9)
