"""The results of tools/benchmark.py as text, Markdown, JSON and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpt.evaluation.protocols import spread
from mmpt.visualization import Code, Section, Table, Text, write_report

from .jobs import SOURCES, Job, Store
from .tasks import Task

__all__ = ['collect', 'markdown', 'text_table', 'write_page']


def collect(tasks: Sequence[Task], jobs: Sequence[Job], store: Store) -> list[dict[str, Any]]:
    """One row for each score of each task that has results of both encoders.

    Args:
        tasks (Sequence[Task]): in the order of the table.
        jobs (Sequence[Job]): all that were asked for.
        store (Store): their results.

    Returns:
        list[dict]: ``task``, ``score``, ``checkpoint`` and ``random`` (as :class:`Spread` dictionaries, with ``folds``,
        the mean deviation over folds where there are some), ``gain`` (positive where the checkpoint is better),
        ``outside`` (whether it is better and the ranges of both do not touch), ``protocol``, ``published``,
        ``seconds`` and ``peak_mb`` of a job.
    """
    rows = []
    for task in tasks:
        results = {source: _results(task.name, source, jobs, store) for source in SOURCES}
        if not all(results.values()):
            continue
        for name, score in task.scores.items():
            if not all(name in found['scores'] for found in results['checkpoint'] + results['random']):
                continue
            own, control = (spread(found['scores'][name] for found in results[source]) for source in results)
            rows.append(
                {
                    'task': task.title,
                    'score': f'{score.title} (lower is better)' if score.lower else score.title,
                    'checkpoint': {**own._asdict(), 'folds': _over_folds(results['checkpoint'], name)},
                    'random': {**control._asdict(), 'folds': _over_folds(results['random'], name)},
                    'gain': control.mean - own.mean if score.lower else own.mean - control.mean,
                    'outside': own.max < control.min if score.lower else own.min > control.max,
                    'protocol': results['checkpoint'][0]['protocol'],
                    'published': [figure._asdict() for figure in score.published],
                    'seconds': spread(found['seconds'] for found in results['checkpoint']).mean,
                    'peak_mb': max((found['peak_mb'] or 0 for found in results['checkpoint']), default=0) or None,
                }
            )
    return rows


def _results(task: str, source: str, jobs: Sequence[Job], store: Store) -> list[dict[str, Any]]:
    found = (store.load(job) for job in jobs if (job.task, job.source) == (task, source))
    return [result for result in found if result is not None]


def _over_folds(results: Sequence[Mapping[str, Any]], score: str) -> float | None:
    found = [result['deviations'][score] for result in results if 'deviations' in result]
    return spread(found).mean if found else None


def _mean(summary: Mapping[str, Any]) -> Any:
    if summary['folds'] is None:
        return summary['mean']
    return f'{summary["mean"]:.3f} ± {summary["folds"]:.3f}'


def _cells(row: Mapping[str, Any]) -> list[Any]:
    own, control = row['checkpoint'], row['random']
    memory = None if row['peak_mb'] is None else f'{row["peak_mb"]:,.0f}'
    return [
        row['task'],
        row['score'],
        _mean(own),
        own['max'] - own['min'],
        _mean(control),
        control['max'] - control['min'],
        f'{row["gain"]:+.3f}',
        'yes' if row['outside'] else 'no',
        f'{row["seconds"]:.0f}',
        memory,
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Head and cells; published figures are a column where a row has some."""
    head, cells = list(_HEAD), [_cells(row) for row in rows]
    if any(row['published'] for row in rows):
        head.append('published')
        cells = [[*line, _range(row['published'])] for line, row in zip(cells, rows)]
    return head, cells


def _range(published: Sequence[Mapping[str, str]]) -> str | None:
    """What stands in one cell for figures whose sources and protocols have a table of their own."""
    values = sorted((figure['value'].partition(' ')[0] for figure in published), key=float)
    if len(values) < 3:
        return ', '.join(values) or None
    return f'{values[0]} to {values[-1]} ({len(values)} figures)'


_HEAD = ('task', 'score', 'checkpoint', 'spread', 'untrained', 'spread', 'gain', 'outside', 's a seed', 'MB')
_ABOUT = (
    '"untrained" is the same encoder at random initialisation under the same protocol; where features are '
    'compared, with the batch statistics that suit it more. "spread" is the highest minus the lowest over the '
    'seeds: of the one checkpoint that of the draws of the task, of the untrained encoder also that of its '
    'initialisation. "±" is the standard deviation over the folds of one seed. "gain" is positive where the checkpoint '
    'is better; "outside" says whether its worst seed is better than the best one of the untrained encoder.'
)


def text_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """For a terminal."""
    head, cells = _table(rows)
    lines = [head, *([_text(cell) for cell in line] for line in cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return '\n'.join(
        '  '.join(t.ljust(w) if i < 2 else t.rjust(w) for i, (t, w) in enumerate(zip(line, widths))) for line in lines
    )


def _text(cell: Any) -> str:
    return f'{cell:.3f}' if isinstance(cell, float) else str('-' if cell is None else cell)


def _protocols(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {row['task']: row['protocol'] for row in rows}


def _published(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [[row['task'], row['score'], *figure.values()] for row in rows for figure in row['published']]


_PUBLISHED_HEAD = ('task', 'score', 'method', 'published', 'source', 'protocol')
_NOT_COMPARABLE = (
    'Published figures are percentages, distances times 1,000, of encoders of full size, by the protocol that stands '
    'beside each: a difference to a row above is first of all one of size, data and protocol.'
)


def _lists(result: Mapping[str, Any]) -> tuple[tuple[str, list[str]], ...]:
    """What stands behind the tables, by title."""
    return (
        ('Failed', result['failed']),
        ('Data unlike those of the pre-training', result['notes']),
        ('Left out', result['skipped']),
    )


def markdown(result: Mapping[str, Any]) -> str:
    """All of it as a page of Markdown.

    Args:
        result (Mapping): ``title``, ``command``, ``rows`` of :func:`collect`, ``failed``, ``notes``,
            ``skipped``, ``environment``.
    """
    rows, (head, cells) = result['rows'], _table(result['rows'])
    lines = [f'# {result["title"]}', '', _ABOUT, '', '```bash', result['command'], '```', '']
    lines += [_markdown_table(head, [[_text(cell) for cell in line] for line in cells]), '', '## Protocols', '']
    lines += [f'* {task}: {line}' for task, line in _protocols(rows).items()]
    published = _published(rows)
    if published:
        lines += ['', '## Published', '', _NOT_COMPARABLE, '', _markdown_table(_PUBLISHED_HEAD, published)]
    for title, entries in _lists(result):
        if entries:
            lines += ['', f'## {title}', '', *(f'* {entry}' for entry in entries)]
    # Where mmpt lies on that machine is nobody's business.
    machine = {**result['environment'], 'mmpt': result['environment']['mmpt'].partition(' ')[0]}
    lines += ['', '## Machine', '', *(f'* {what}: {value}' for what, value in machine.items()), '']
    return '\n'.join(lines)


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return '\n'.join(f'| {" | ".join(line)} |' for line in [head, ['---'] * len(head), *rows])


def write_page(result: Mapping[str, Any], path: Path) -> None:
    """The same as one HTML file that needs no network.

    Args:
        result (Mapping): see :func:`markdown`.
        path (Path): of the page.
    """
    rows, (head, cells) = result['rows'], _table(result['rows'])
    better = [i for i, row in enumerate(rows) if row['outside']]
    sections = [
        Section('Scores', [Table(head, cells, strong=better), Text(_ABOUT, note=True)]),
        Section('Protocols', [Table(('task', 'protocol'), list(_protocols(rows).items()))]),
    ]
    published = _published(rows)
    if published:
        blocks = [Text(_NOT_COMPARABLE, note=True), Table(_PUBLISHED_HEAD, published)]
        sections.append(Section('Published figures', blocks))
    for title, entries in _lists(result):
        if entries:
            sections.append(Section(title, [Text('\n\n'.join(entries))]))
    sections.append(Section('Command', [Code(result['command'])]))
    summary = f'{len(better)} of {len(rows)} scores are outside the spread of the untrained encoder.'
    write_report(path, result['title'], sections, summary=summary, facts=result['environment'])
