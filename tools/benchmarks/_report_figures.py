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
    'label_efficiency': 'python tools/benchmarks/label_efficiency.py --work-dir {folder}',
    'robustness': 'python tools/benchmarks/robustness.py --work-dir {folder}',
}
SCORES = {'svm': 'linear SVM', 'knn': '1-NN'}
GENERATED = 'generated classes'
_BOTH = 'without duplicates'
_GROUPS = ('task', 'weight', 'grad_norm', 'probe')


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
    scores, control = together['summary'][data], evidence['control'][data]['summary']
    seeds = len(together['runs'])
    first = f'On {data}, {together["title"]} after {evidence["minutes"]:g} minutes of training reaches ' + ' and '.join(
        f'{scores[key]["mean"]:.3f} by {title} ({control[key]["mean"]:.3f} untrained, '
        f'{points(scores[key]["minus_control"])} points)'
        for key, title in SCORES.items()
    )
    single = [row for row in evidence['rows'] if len(row['tasks']) == 1 and row is not together]
    told = f'{first}; mean of {seeds} seed{"s" * (seeds != 1)}, 95 % intervals over the test shapes.'
    if single:
        best = max(single, key=lambda row: row['summary'][data]['svm']['mean'])
        other = best['summary'][data]['svm']
        gain = negative(other['minus_all'])
        told += (
            f' The best single task there is {best["title"]} with {other["mean"]:.3f} by linear SVM: all together are '
            f'{points(gain)} points {_verdict(gain)}.'
        )
    return f'A smoke run, too short to learn anything. {told}' if evidence['smoke'] else told


def _verdict(gain: Mapping[str, float]) -> str:
    if gain['low'] > 0:
        return 'above it'
    if gain['high'] < 0:
        return 'below it'
    return 'away from it, an interval that holds zero, so these figures do not tell them apart'


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
        blocks.append(Part(_title(evidence, data), [_charts(evidence, data), _table(evidence, data)]))
        blocks.append(Text(evidence['protocols'].get(data, ''), note=True))
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


def _table(evidence: Mapping[str, Any], data: str) -> Table:
    rows, together = [], all_row(evidence)
    for row in evidence['rows']:
        cells: list[Any] = [row['title']]
        for key in SCORES:
            score = row['summary'][data][key]
            other = None if row is together else score.get('minus_all')
            cells += [score['mean'], _range(score), points(score['minus_control']), points(other)]
        rows.append([*cells, runs_of(row)])
    control = evidence['control'][data]['summary']
    cells = ['untrained']
    for key in SCORES:
        cells += [control[key]['mean'], _range(control[key]), '–', '–']
    rows.append([*cells, f'{control["svm"]["n"]} initialisations, better of raw and calibrated'])
    head = [[title, 'over seeds', 'gain over untrained', 'against all tasks'] for title in SCORES.values()]
    return Table(
        ['tasks', *head[0], *head[1], 'runs'],
        rows,
        'Accuracy; differences in points with 95 % intervals',
        strong=[evidence['rows'].index(together)],
        right=[2, 3, 4, 6, 7, 8],
    )


def _range(score: Mapping[str, Any]) -> str:
    return f'{score["min"]:.3f}\N{EN DASH}{score["max"]:.3f}'


def runs_of(row: Mapping[str, Any]) -> str:
    """The folder of a row's runs, and their seeds."""
    parents = dict.fromkeys(Path(run['folder']).parent.as_posix() for run in row['runs'])
    return f'{", ".join(parents)}: seed {", ".join(str(run["seed"]) for run in row["runs"])}'


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
    losses = {}
    for name in [name for name in whole if name.startswith('task/')]:
        lines = {together['title']: whole[name]}
        lines.update({f'{row["title"]} alone': log[name] for row, log in others if name in log})
        losses[f'{name.partition("/")[2]}: loss'] = lines
    monitors: dict[str, dict[str, Any]] = {}
    for name, curve in whole.items():
        task, _, what = name.partition('/')
        if what and task not in _GROUPS and f'task/{task}' in whole and 'accuracy' in what:
            monitors.setdefault('accuracies of the tasks', {})[name] = curve
        elif what and task not in _GROUPS and f'task/{task}' in whole:
            monitors.setdefault(f'{task}: parts of the loss', {})[what] = curve
    norms = {name.partition('/')[2]: curve for name, curve in whole.items() if name.startswith('grad_norm/')}
    told = (
        f'Seed {together["runs"][0]["seed"]} of {together["title"]}, and of the rows with one task that train on the '
        'same loss. Gradient norms are taken at the output tokens of the encoder, before the weights.'
    )
    charts = {**losses, **({'gradient norms': norms} if norms else {}), **monitors}
    return Section('Curves of the tasks', [Text(told), Curves(charts)])


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
        ['labels', 'shapes', 'pre-trained', 'over seeds', 'from scratch', 'over seeds', 'difference, points'],
        [
            [
                f'{100 * row["fraction"]:g} %',
                row['shapes'],
                row['pretrained']['mean'],
                _range(row['pretrained']),
                row['scratch']['mean'],
                _range(row['scratch']),
                points(row['difference']),
            ]
            for row in rows
        ],
        f'Accuracy on {found["shapes"]["test"]} test shapes',
        right=[0, 3, 5, 6],
    )
    told = (
        f'The same classifier, fine-tuned for {found["updates"]} updates from the checkpoint and from a random start, '
        f'{len(found["seeds"])} seeds each; bands span the seeds.'
    )
    made = f'{found["protocol"]}. Checkpoint: {found["checkpoint"]}; made by: {found["command"]}'
    return Section(
        'Fewer labels',
        [Text(told), Beside([Levels({'accuracy on the test part': chart})]), table, Text(made, note=True)],
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
        blocks += [
            Part(f'{data}, linear SVM', [_damage(sides, kinds, 'svm')]),
            Part(f'{data}, 1-NN', [_damage(sides, kinds, 'knn')], folded=True),
            Part('The same as a table', [_damage_table(sides, kinds)], folded=True),
            Text(found['protocols'].get(data, ''), note=True),
        ]
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


def missing(name: str, folder: Path) -> Text:
    """One line for a file that is not there."""
    return Text(
        f'There is no {name}.json in {folder} yet; this makes it: {MISSING[name].format(folder=folder)}', note=True
    )


def limits(evidence: Mapping[str, Any] | None, real: Sequence[str]) -> list[Block]:
    """What the figures do not show, of this run as it was."""
    told = [
        'Pre-training saw generated shapes and their rendered pictures only. A gain on generated classes says that the '
        'tasks fit the generator; it says nothing about scans with noise, holes and clutter.',
        'Encoders of this size, trained for minutes, are far from published ones. What helps here need not help there, '
        'nor the other way around; no figure on this page is comparable with a published one.',
        'The control is the same encoder without any training. A gain over it is a gain of training, not of this method '
        'over others.',
        'Views, maps and found neighbours are examples. They are picked evenly over the test part, not by how they look, '
        'and prove nothing that the tables do not.',
    ]
    if any('vox' in name for name in real):
        told.insert(
            1,
            'Shapes of voxel files have lost all detail below their grid, so some classes coincide; test shapes that '
            'also occur in the training part are counted unless a row says "without duplicates".',
        )
    if evidence is not None:
        count = len(evidence['seeds'])
        told.insert(
            0,
            f'{count} seed{"s" * (count != 1)} for each row: the intervals say what other test shapes would do, and '
            'nothing of what other seeds would. Where the dots of two rows overlap, do not call one better.',
        )
    return [Text(text) for text in told]
