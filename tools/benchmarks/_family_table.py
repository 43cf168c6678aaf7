"""The table of tools/benchmarks/family.py, as text and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ['markdown', 'text_table']

_NAMES = {'knn': '1-NN', 'svm': 'linear SVM'}
_HEAD = """# Methods with equal budget

{about} Every method is its laptop config with {minutes:g} minutes of training by {threads} threads of one machine
({device}): as many updates as the median seconds of a short run of its own, alone on the cores, allow. One seed each.
Controls are the same encoder untrained, three seeds, the better of raw and calibrated batch statistics; *gain* is over
the mean of a row's own controls, *spread* their highest minus their lowest. A difference between rows that is smaller
than a spread says nothing.

```bash
{command}
```

The tables compare recipes at laptop size under one budget. They say nothing of what the methods reach at full size, and
no figure here is comparable with a published one.
"""


def _figures(row: Mapping[str, Any], data: str, name: str) -> tuple[float, float, float]:
    result = row['scores'][data]
    control = result['control_spread'][name]
    return result['scores'][name], control['mean'], control['max'] - control['min']


def _data_names(result: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(data for row in result['rows'] for data in row.get('scores', {})))


def text_table(result: Mapping[str, Any]) -> str:
    """For a terminal.

    Args:
        result (Mapping): of ``family.py``: ``rows`` with ``scores`` by data set, or with ``error``; ``tokenizers``.
    """
    lines = []
    width = max(len(row['method']) for row in result['rows']) + 2
    if result['smoke']:
        lines.append('A smoke run: too short to learn anything.')
    for data in _data_names(result):
        lines += ['', f'{data}: score, mean of its controls, gain, spread of its controls']
        head = f'{"":{width}}{"updates":>8}{"samples":>9}{"per s":>8}{"min":>7}'
        lines.append(head + ''.join(f'{name:>12}{"control":>9}{"gain":>8}{"spread":>8}' for name in _NAMES.values()))
        for row in result['rows']:
            if 'error' in row:
                continue
            line = f'{row["method"]:{width}}{row["iterations"]:8d}{row["samples"]:9d}{row["samples_per_second"]:8.1f}'
            line += f'{row["minutes"]:7.1f}'
            for name in _NAMES:
                score, control, spread = _figures(row, data, name)
                line += f'{score:12.3f}{control:9.3f}{score - control:+8.3f}{spread:8.3f}'
            lines.append(line)
    lines += [f'{row["method"]:{width}}failed: {row["error"]}' for row in result['rows'] if 'error' in row]
    for row in result['tokenizers']:
        lines.append(
            f'tokenizer {row["config"]}: {row["iterations"]} updates, {row["minutes"]:.1f} min, not counted above'
        )
    return '\n'.join(lines)


def markdown(result: Mapping[str, Any]) -> str:
    """The page.

    Args:
        result (Mapping): see :func:`text_table`.
    """
    about = 'A smoke run: too short to learn anything.' if result['smoke'] else 'Measured here, once.'
    lines = [_HEAD.format(about=about, **{k: result[k] for k in ('minutes', 'threads', 'device', 'command')})]
    good = [row for row in result['rows'] if 'error' not in row]
    lines += [
        '| method | config | updates | samples | samples/s | minutes | trained parameters |',
        '|---|---|---|---|---|---|---|',
    ]
    for row in good:
        lines.append(
            f'| {row["method"]} | `{row["config"]}` | {row["iterations"]:,} | {row["samples"]:,} | '
            f'{row["samples_per_second"]:.0f} | {row["minutes"]:.1f} | {row["parameters"] / 1e6:.2f} M |'
        )
    lines += [
        '',
        'Minutes are updates times the seconds of one in the short run; start and checkpoints come on top.',
        '',
    ]
    for row in result['tokenizers']:
        lines += [
            f'Not counted for any method: the tokenizer `{row["config"]}`, {row["iterations"]:,} updates in '
            f'{row["minutes"]:.1f} minutes, which the methods with token targets share.',
            '',
        ]
    for data in _data_names(result):
        first = next(row['scores'][data] for row in good if data in row['scores'])
        shapes = first['shapes']
        lines += [
            f'## {data}',
            '',
            f'{shapes["train"]:,} training and {shapes["test"]:,} test shapes; {first["protocol_line"]}.',
            '',
        ]
        columns = [f'{name} | control | gain | spread' for name in _NAMES.values()]
        lines += [f'| method | {" | ".join(columns)} |', '|---' * (1 + 4 * len(_NAMES)) + '|']
        for row in good:
            cells = []
            for name in _NAMES:
                score, control, spread = _figures(row, data, name)
                cells.append(f'{score:.3f} | {control:.3f} | {score - control:+.3f} | {spread:.3f}')
            lines.append(f'| {row["method"]} | {" | ".join(cells)} |')
        lines.append('')
    for row in result['rows']:
        if 'error' in row:
            lines += [f'Failed: {row["method"]}, {row["error"]}', '']
    lines += ['## Commands', '', '```bash', *(row['command'] for row in [*result['tokenizers'], *good]), '```', '']
    # Where mmpt lies on that machine is nobody's business.
    machine = {**result['environment'], 'mmpt': result['environment']['mmpt'].partition(' ')[0]}
    lines += ['## Machine', '', *(f'* {what}: {value}' for what, value in machine.items()), '']
    return '\n'.join(lines)
