"""Verify every data set of a config: counts, missing and damaged files, classes, axis and scale, duplicated shapes.

    python tools/verify_dataset.py configs/_base_/datasets/shapenet.py
    python tools/verify_dataset.py configs/_base_/datasets/shapenet.py --split train --quick 500 --out work_dirs/check

Every file is read once. A table and what was found are printed; report.json (all of it) and a contact sheet for each
data set are written. Exit code: 0 clean, 1 problems were found, 2 nothing could be verified.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

# So that `projects/` of this checkout is found from any folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

_SPLITS = ('train', 'val', 'test')
# Shapes on a contact sheet, and lines of one kind and data set that are printed.
_DRAWN, _LINES = 16, 10
_MARKS = {'problem': 'PROBLEM', 'warning': 'warning', 'note': 'note'}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config file')
    parser.add_argument('--split', choices=(*_SPLITS, 'all'), default='all', help='which dataloader; default all')
    parser.add_argument('--dataset-key', help='place of another data set in the config, such as a.b.dataset')
    parser.add_argument('--out', type=Path, help='folder to write; default work_dirs/verify/<name of the config>')
    parser.add_argument('--quick', type=int, metavar='N', help='read only N samples of each data set, evenly spread')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes that read; 0 for none')
    parser.add_argument(
        '--ignore', nargs='+', default=[], metavar='KIND', help='kinds of problems that are known and no reason to fail'
    )
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='over what the config says')
    parser.add_argument('--traceback', action='store_true', help='show where an error comes from')
    args = parser.parse_args()
    if args.workers < 0 or (args.quick is not None and args.quick < 1):
        parser.error(f'--workers {args.workers} --quick {args.quick}: expected numbers that are not negative or zero.')
    args.out = args.out or Path('work_dirs/verify') / Path(args.config).stem
    return args


def open_parts(args: argparse.Namespace) -> list[Any]:
    """The data sets of the config; those whose files are missing or damaged say why."""
    from mmengine.registry import init_default_scope

    from mmpt.datasets import SyntheticShapes
    from mmpt.datasets.verification import find_parts, lookup, open_part
    from mmpt.registry import DATASETS
    from mmpt.utils import ConfigError
    from mmpt.utils.config import load_config, parse_options

    config = load_config(args.config, parse_options(args.cfg_options))
    init_default_scope(config.get('default_scope', 'mmpt'))
    splits = _SPLITS if args.split == 'all' else (args.split,)
    keys = [args.dataset_key] if args.dataset_key else [f'{split}_dataloader.dataset' for split in splits]
    found = find_parts(config, keys)
    if not found:
        raise ConfigError(f'{args.config} has no {" and no ".join(keys)}; choose another --split or --dataset-key.')
    generated = [key for key in found if DATASETS.get(lookup(config, key)['type']) is SyntheticShapes]
    if len(generated) < len(found) and not args.dataset_key:
        for key in generated:
            print(f'{", ".join(found.pop(key))}: left out, because it is generated; --dataset-key verifies it')
    parts = [open_part(config, places) for places in found.values()]
    if all(isinstance(part.error, FileNotFoundError) for part in parts):
        # Nothing is there: the sentence of the class says what is expected, and where to get it.
        raise parts[0].error
    return parts


def draw(report: Any, count: int, path: Path) -> None:
    """The contact sheet: one shape of each class, as the data set holds them."""
    from mmpt.datasets.browsing import browsing_steps, choose_shapes, draw_sample, sample_title
    from mmpt.visualization import SheetItem, save_sheet

    dataset = report.part.dataset
    up_axis = dataset.metainfo['up_axis']
    bad = {index for index, *_ in report.table.errors}
    dataset.pipeline, items = browsing_steps(report.part.pipeline, raw=True), []
    try:
        for _, position in choose_shapes([dataset], count)[0]:
            index = position if dataset.indices is None else dataset.indices[position]
            if index in bad:
                continue
            try:
                results = dataset.sample(position)
            except (ValueError, OSError):
                # Its sentence is in the report: a picture that does not decode, a label that is no class.
                continue
            items.append(SheetItem(sample_title(results), draw_sample(results, up_axis)))
    finally:
        dataset.pipeline = []
    if items:
        save_sheet(items, path)
        print(f'written: {path}')


def table_lines(reports: list[Any]) -> list[str]:
    """A line for each data set, in columns."""
    rows = [('data set', 'shapes', 'published', 'read', 'missing', 'damaged', 'points', 'radius', 'up', 'classes')]
    for report in reports:
        about = report.as_dict()
        rows.append(
            (
                report.part.name,
                f'{about["shapes"]:,}',
                '-' if about['expected'] is None else f'{about["expected"]:,}',
                f'{about["read"]:,}',
                f'{about["missing"]:,}',
                f'{about["damaged"]:,}',
                span(about.get('points')),
                span(about.get('radius')),
                f'{about["up_axis"]} {stands(about)}',
                classes(about),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def classes(about: dict[str, Any]) -> str:
    """How many of the classes occur, as labels of shapes or of points."""
    counts = list((about['classes'] if any(about['classes'].values()) else about['class_points']).values())
    return f'{sum(map(bool, counts))}/{len(counts)}' if any(counts) else '-'


def span(three: list[float] | None) -> str:
    """Smallest to largest."""
    if three is None:
        return '-'
    low, high = (f'{value:,}' if isinstance(value, int) else f'{value:.4g}' for value in (three[0], three[2]))
    return low if low == high else f'{low}..{high}'


def stands(about: dict[str, Any]) -> str:
    """Whether the shapes confirm the axis."""
    if any(finding['kind'] == 'axis' for finding in about['findings']):
        return '(no!)'
    return '(not judged)' if about['stands_along'] is None else '(seen)'


def times(count: int, what: str) -> str:
    """A number and its noun."""
    return f'{count:,} {what}' if count == 1 else f'{count:,} {what}s'


def say(owner: str, findings: list[Any], ignored: list[str]) -> None:
    """The findings of a data set, worst first, a few lines of each kind."""
    said: Counter = Counter()
    for finding in sorted(findings, key=lambda finding: list(_MARKS).index(finding.level)):
        said[finding.kind, finding.level] += 1
        if said[finding.kind, finding.level] <= _LINES:
            mark = 'ignored' if finding.level == 'problem' and finding.kind in ignored else _MARKS[finding.level]
            print(f'{mark}  {owner}: {finding.text}')
    for (kind, level), count in said.items():
        if count > _LINES:
            print(f'{_MARKS[level]}  {owner}: {count - _LINES:,} more of this kind ({kind}) are in report.json.')


def main(args: argparse.Namespace) -> bool:
    """Verify; returns whether all is well."""
    from mmpt.datasets.verification import KINDS, Finding, check_duplicates, join_names, verify_part
    from mmpt.utils import ConfigError
    from mmpt.utils.io import atomic_write
    from mmpt.utils.progress import Progress

    unknown = set(args.ignore) - set(KINDS)
    if unknown:
        raise ConfigError(f'--ignore {" ".join(sorted(unknown))}: expected some of {", ".join(KINDS)}.')
    parts = open_parts(args)
    reports, closed = [], {}
    for part in parts:
        if part.error is not None:
            closed[part.name] = [Finding('open', 'problem', ' '.join(str(part.error).split()))]
            continue
        progress = Progress(part.name, min(args.quick or len(part.dataset), len(part.dataset)))
        reports.append(
            verify_part(part, args.quick, args.workers, lambda done, _, progress=progress: progress.show(done))
        )
        progress.close()
    between, pairs = check_duplicates([report.part for report in reports], [report.table for report in reports])
    print('\n'.join(table_lines(reports)))
    for report in reports:
        print(f'{report.part.name}: {", ".join(report.part.places)}; {report.standing.evidence}')
        sizes = [f'{name} {count:,}' for name, count in report.as_dict()['classes'].items() if count]
        if sizes:
            print(f'{report.part.name}: shapes per class: {join_names(sizes, 15)}')
    every = {**closed, **{report.part.name: report.findings for report in reports}, 'duplicates': between}
    for owner, findings in every.items():
        say(owner, findings, args.ignore)
    for number, report in enumerate(reports):
        drawn = min(args.quick or _DRAWN, _DRAWN)
        draw(
            report, drawn, args.out / f'contact_sheet_{number}_{report.part.dataset.metainfo.get("split") or "all"}.png'
        )
    problems = [
        f for findings in every.values() for f in findings if f.level == 'problem' and f.kind not in args.ignore
    ]
    warnings = sum(f.level == 'warning' for findings in every.values() for f in findings)
    content = {
        'config': args.config,
        'quick': args.quick,
        'clean': not problems,
        'not_opened': {name: findings[0].text for name, findings in closed.items()},
        'parts': [report.as_dict() for report in reports],
        'duplicates': {'findings': [finding._asdict() for finding in between], 'pairs': pairs},
    }
    atomic_write(json.dumps(content, indent=1, default=str).encode(), args.out / 'report.json')
    print(f'written: {args.out / "report.json"}')
    print(f'{times(len(problems), "problem") if problems else "clean"}, {times(warnings, "warning")}')
    return not problems


if __name__ == '__main__':
    from mmpt.utils.errors import run

    outcome: list[bool] = []
    code = run(lambda: outcome.append(main(parse_args())))
    sys.exit(code or (0 if outcome[0] else 1))
