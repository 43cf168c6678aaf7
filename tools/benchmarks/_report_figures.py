"""Sections of the evidence report that are made of the figures in a folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpt.visualization import (
    Beside,
    Block,
    Curves,
    IntervalRow,
    Intervals,
    LevelChart,
    LevelLine,
    Levels,
    Part,
    Section,
    Table,
    Text,
    read_scalars,
)

#: What is missing, and the command that makes it.
MISSING = {
    'evidence': 'python tools/benchmarks/evidence.py --work-dir {folder}',
    'label_efficiency': 'python tools/benchmarks/label_efficiency.py --checkpoint {checkpoint} --out {folder}',
    'robustness': 'python tools/benchmarks/robustness.py --checkpoint {checkpoint} --out {folder}',
}
SCORES = {'svm': 'linear SVM', 'knn': '1-NN'}
GENERATED = 'generated classes'
_BOTH = 'without duplicates'


def all_row(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with all tasks."""
    named = [row for row in evidence['rows'] if row['row'] == 'all']
    return named[0] if named else max(evidence['rows'], key=lambda row: len(row['tasks']))


def main_data(evidence: Mapping[str, Any]) -> str:
    """What the summary speaks of: the first real data set, whole, or the generated classes."""
    names = [name for name in evidence['control'] if name != GENERATED and not name.endswith(_BOTH)]
    return (names or list(evidence['control']))[0]


def summary(evidence: Mapping[str, Any]) -> str:
    """Two sentences: all tasks against no training, and against the best task alone."""
    data, together = main_data(evidence), all_row(evidence)
    score = together['summary'][data]
    seeds = len(together['runs'])
    told = (
        f'On {data}, {together["title"]} after {evidence["minutes"]:g} minutes of training: {_reached(score, "svm")}, '
        f'and {_reached(score, "knn")} (mean of {seeds} seed{"s" * (seeds != 1)}, 95 % intervals over test shapes).'
    )
    single = [row for row in evidence['rows'] if len(row['tasks']) == 1 and row is not together]
    if single and together['row'] == 'all':
        best = max(single, key=lambda row: row['summary'][data]['svm']['mean'])
        other = best['summary'][data]['svm']
        told += (
            f' Of the tasks alone {best["title"]} is best there, with {other["mean"]:.3f} by linear SVM: '
            f'{_verdict(negative(other["minus_all"]))}.'
        )
    return f'A smoke run, too short to learn anything. {told}' if evidence['smoke'] else told


def _reached(score: Mapping[str, Any], key: str) -> str:
    gain = score[key]['minus_control']
    side = 'below' if gain['mean'] < 0 else 'above'
    shown = gain if gain['mean'] >= 0 else negative(gain)
    return (
        f'{score[key]["mean"]:.3f} by {SCORES[key]}, {_plain(shown["mean"])} points {side} the untrained encoder '
        f'({_plain(shown["low"])} to {_plain(shown["high"])})'
    )


def _verdict(gain: Mapping[str, float]) -> str:
    """How all tasks compare, no stronger than the interval allows."""
    side = 'below' if gain['mean'] < 0 else 'above'
    shown = gain if gain['mean'] >= 0 else negative(gain)
    told = (
        f'all together are {_plain(shown["mean"])} points {side} it ({_plain(shown["low"])} to {_plain(shown["high"])}'
    )
    if gain['low'] <= 0 <= gain['high']:
        return f'{told}, which holds zero: these figures do not tell the two apart)'
    return f'{told})'


def _plain(value: float) -> str:
    return f'{100 * value:.1f}'.replace('-', '\N{MINUS SIGN}')


def negative(interval: Mapping[str, float]) -> dict[str, float]:
    """The difference the other way around."""
    return {'mean': -interval['mean'], 'low': -interval['high'], 'high': -interval['low']}


def points(interval: Mapping[str, float] | None) -> str:
    """Percentage points with their interval."""
    if interval is None:
        return '–'
    return f'{_signed(interval["mean"])} [{_signed(interval["low"])}, {_signed(interval["high"])}]'


def _signed(value: float) -> str:
    return f'{100 * value:+.1f}'.replace('-', '\N{MINUS SIGN}')


def tasks_section(evidence: Mapping[str, Any]) -> Section:
    """Every row on every data set: charts and tables."""
    blocks: list[Block] = [
        Text(
            f'Each row is an encoder that was trained by these tasks alone for {evidence["minutes"]:g} minutes on '
            f'{_machine(evidence)}, with {len(evidence["seeds"])} seeds, and then frozen. Large dots are means, small '
            'ones seeds. A line is the 95 % interval of the gain over the untrained control, drawn from the mean of '
            'the control; the band spans the controls. Blue is one task, violet two, orange three.'
        )
    ]
    for data in evidence['control']:
        inside = [_charts(evidence, data), *(_table(evidence, data, key) for key in SCORES)]
        inside.append(Text(evidence['protocols'].get(data, ''), note=True))
        blocks.append(Part(_title(evidence, data), inside, folded=data.endswith(_BOTH)))
    return Section('Which task helps', blocks)


def _machine(evidence: Mapping[str, Any]) -> str:
    threads = evidence['threads']
    return f'{evidence["device"]}, {threads} thread{"s" * (threads != 1)}'


def _title(evidence: Mapping[str, Any], data: str) -> str:
    shapes = evidence['shapes'].get(data)
    return f'{data}: {shapes["train"]} training and {shapes["test"]} test shapes' if shapes else data


def _series(row: Mapping[str, Any]) -> int:
    """A colour for each number of tasks."""
    return {1: 0, 2: 3}.get(len(row['tasks']), 1)


def _charts(evidence: Mapping[str, Any], data: str) -> Beside:
    charts = []
    for key, title in SCORES.items():
        control = evidence['control'][data]['summary'][key]
        rows = []
        for row in evidence['rows']:
            score = row['summary'][data][key]
            gain = score['minus_control']
            dots = [run['scores'][data][key] for run in row['runs']]
            ends = [control['mean'] + gain[end] for end in ('low', 'high')] if gain else [None, None]
            rows.append(IntervalRow(row['title'], score['mean'], dots, *ends, _series(row)))
        charts.append(Intervals(title, rows, (control['min'], control['mean'], control['max'])))
    return Beside(charts)


def _table(evidence: Mapping[str, Any], data: str, key: str) -> Table:
    rows, together = [], all_row(evidence)
    for row in evidence['rows']:
        score = row['summary'][data][key]
        other = None if row is together else score['minus_all']
        rows.append([row['title'], score['mean'], _range(score), points(score['minus_control']), points(other)])
        rows[-1].append(runs_of(row))
    control = evidence['control'][data]['summary'][key]
    rows.append(
        ['untrained', control['mean'], _range(control), '\N{EN DASH}', '\N{EN DASH}', f'{control["n"]} controls']
    )
    return Table(
        ['tasks', SCORES[key], 'over seeds', 'gain over untrained', f'against {together["title"]}', 'runs'],
        rows,
        f'Accuracy by {SCORES[key]}; differences in points with 95 % intervals',
        strong=[evidence['rows'].index(together)],
        right=[2, 3, 4],
    )


def _range(score: Mapping[str, Any]) -> str:
    return f'{score["min"]:.3f}\N{EN DASH}{score["max"]:.3f}'


def runs_of(row: Mapping[str, Any]) -> str:
    """The folder of a row's runs, and their seeds."""
    parents = dict.fromkeys(Path(run['folder']).parent.as_posix() for run in row['runs'])
    seeds = ' '.join(str(run['seed']) for run in row['runs'])
    # Unbroken: it is the one long text of its table.
    return f'{", ".join(parents)}, seeds {seeds}'.replace(' ', '\N{NO-BREAK SPACE}')


def curves_section(evidence: Mapping[str, Any], folder: Path) -> Section | None:
    """Curves of the first seed of each row; None where no run has left a log."""
    logs = {}
    for row in evidence['rows']:
        try:
            logs[row['row']] = (row, read_scalars(folder / row['runs'][0]['folder']))
        except FileNotFoundError:
            continue
    together = all_row(evidence)
    if together['row'] not in logs:
        return None
    _, whole = logs[together['row']]
    others = [log for log in logs.values() if len(log[0]['tasks']) == 1]
    # A loss of several parts is shown by its parts: a row may train on one of them alone.
    parts = [name for name in whole if _is_part(name, whole) and 'accuracy' not in name]
    split = {name.partition('/')[0] for name in parts}
    losses = {}
    for name in [*(name for name in whole if name.startswith('task/') and name[5:] not in split), *parts]:
        lines = {together['title']: whole[name]}
        lines.update({f'{row["title"]} alone': log[name] for row, log in others if name in log and row is not together})
        losses[f'{name.removeprefix("task/")}: loss'] = lines
    right = {name: curve for name, curve in whole.items() if _is_part(name, whole) and 'accuracy' in name}
    norms = {name.partition('/')[2]: curve for name, curve in whole.items() if name.startswith('grad_norm/')}
    told = (
        f'Seed {together["runs"][0]["seed"]} of {together["title"]}, and of the rows with one task that train on the '
        'same loss. Gradient norms are taken at the output tokens of the encoder, before the weights.'
    )
    blocks: list[Block] = [Text(told), Curves({**losses, **({'gradient norms': norms} if norms else {})})]
    if right:
        blocks.append(Curves({'accuracy of the tasks on their own batches': right}, log_y=False))
    return Section('Curves of the tasks', blocks)


def _is_part(name: str, logged: Mapping[str, Any]) -> bool:
    """Whether a task logged it beside its loss."""
    task, _, what = name.partition('/')
    return bool(what) and f'task/{task}' in logged


def labels_section(found: Mapping[str, Any]) -> Section:
    """Fine-tuning with few labels, pre-trained and from scratch."""
    rows = found['rows']
    names = {'pretrained': 'pre-trained', 'scratch': 'from scratch'}
    lines = {
        title: LevelLine(*([row[key][what] for row in rows] for what in ('mean', 'min', 'max')))
        for key, title in names.items()
    }
    chart = LevelChart([f'{100 * row["fraction"]:g} %' for row in rows], lines, 'over the share of the labels')
    table = Table(
        ['labels', 'shapes', 'pre-trained', 'over seeds', 'from scratch', 'over seeds', 'difference, points', 'runs'],
        [
            [
                f'{100 * row["fraction"]:g} %',
                row['shapes'],
                row['pretrained']['mean'],
                _range(row['pretrained']),
                row['scratch']['mean'],
                _range(row['scratch']),
                points(row['difference']),
                '; '.join(runs_of(row[key]) for key in names),
            ]
            for row in rows
        ],
        f'Accuracy on {found["shapes"]["test"]} test shapes',
        right=[0, 3, 5, 6],
    )
    told = (
        f'The same classifier, fine-tuned for {found["updates"]} updates from the checkpoint and from a random start, '
        f'seeds {", ".join(map(str, found["seeds"]))}; bands span the seeds. The recipe was tuned for neither side.'
    )
    made = f'{found["protocol"]}. Checkpoint: {found["checkpoint"]}; made by: {found["command"]}'
    return Section(
        'Fewer labels',
        [Text(told), Levels({'accuracy on the test part': chart}), table, Text(made, note=True)],
    )


def robustness_section(found: Mapping[str, Any]) -> Section:
    """Scores under damage, one chart a kind of it."""
    blocks: list[Block] = [
        Text(
            'The classifiers are fitted on clean training shapes; the test shapes are damaged in five severities. All '
            'charts of a data set have one scale; the band spans the untrained encoders.'
        )
    ]
    for data, sides in found['data'].items():
        kinds = [name for name in sides['encoder'] if name != 'clean']
        blocks.append(Part(f'{data}, linear SVM', [_damage(sides, kinds, 'svm')], folded=data.endswith(_BOTH)))
        blocks.append(Part(f'{data}, 1-NN', [_damage(sides, kinds, 'knn')], folded=True))
        blocks.append(Part(f'{data} as a table', [_damage_table(sides, kinds)], folded=True))
    lines = [f'{data}: {line}' for data, line in found['protocols'].items()]
    blocks.append(Text('\n\n'.join(lines), note=True))
    blocks.append(Text(f'Checkpoint: {found["checkpoint"]}; made by: {found["command"]}', note=True))
    return Section('Damaged shapes', blocks)


def _damage(sides: Mapping[str, Any], kinds: Sequence[str], key: str) -> Levels:
    charts = {}
    for kind in kinds:
        rows = {side: [sides[side]['clean'], *sides[side][kind]] for side in ('encoder', 'control')}
        levels = ['clean', *(f'{row["value"]:g}' for row in sides['encoder'][kind])]
        control = [[row.get(f'{key}{end}', row[key]) for row in rows['control']] for end in ('', '_min', '_max')]
        lines = {'pre-trained': LevelLine([row[key] for row in rows['encoder']]), 'untrained': LevelLine(*control)}
        charts[kind] = LevelChart(levels, lines, sides['encoder'][kind][0]['unit'])
    return Levels(charts)


def _damage_table(sides: Mapping[str, Any], kinds: Sequence[str]) -> Table:
    rows: list[list[Any]] = []
    for kind in kinds:
        for ours, theirs in zip(sides['encoder'][kind], sides['control'][kind]):
            rows.append([kind, ours['severity'], f'{ours["value"]:g}'])
            rows[-1] += [side[key] for key in SCORES for side in (ours, theirs)]
    clean = [sides[side]['clean'][key] for key in SCORES for side in ('encoder', 'control')]
    head = [f'{title}, {side}' for title in SCORES.values() for side in ('pre-trained', 'untrained')]
    return Table(['damage', 'severity', 'value', *head], [['none', 0, '–', *clean], *rows], right=[2])


def missing(name: str, folder: Path, checkpoint: Path | None) -> Text:
    """One line for a file that is not there."""
    made_by = MISSING[name].format(folder=folder, checkpoint=checkpoint or 'CHECKPOINT')
    return Text(f'There is no {name}.json in {folder} yet; this makes it: {made_by}', note=True)


def limits(evidence: Mapping[str, Any] | None) -> list[Block]:
    """What the figures do not show, of this run as it was."""
    told = [
        'Pre-training saw generated shapes and their rendered pictures only. A gain on generated classes says that the '
        'tasks fit the generator; it says nothing about scans with noise, holes and clutter.',
        'Encoders of this size, trained for minutes, are far from published ones. What helps here need not help there, '
        'nor the other way around; no figure on this page is comparable with a published one.',
        'The control is the same encoder without any training. A gain over it is one of training, not of this '
        'method over others.',
        'Views, maps and found neighbours are examples. They are picked evenly over the classes, not by how they look, '
        'and prove nothing that the tables do not.',
    ]
    if evidence is not None and any(name.endswith(_BOTH) for name in evidence['control']):
        told.append(f'Test shapes that also occur in the training part are counted unless a table says "{_BOTH}".')
    if evidence is not None:
        count = len(evidence['seeds'])
        told.insert(
            0,
            f'{count} seed{"s" * (count != 1)} for each row: the intervals say what other test shapes would do, and '
            'nothing of what other seeds would. Where the dots of two rows overlap, do not call one better.',
        )
    return [Text(text) for text in told]
