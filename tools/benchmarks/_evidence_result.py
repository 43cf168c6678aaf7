"""What tools/benchmarks/evidence.py writes: evidence.json and the arrays behind it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _evidence_rows import ROWS
from _evidence_score import Scored, missing, read, sets
from _scoring import last_checkpoint
from _trainings import short
from numpy.typing import NDArray

from mmpt.evaluation import paired_bootstrap
from mmpt.evaluation.protocols import spread
from mmpt.utils.collect_env import collect_env

__all__ = ['METRICS', 'collect']

METRICS = ('knn', 'svm')
Items = dict[str, NDArray[np.bool_]]


def collect(evidence: Any) -> tuple[dict[str, Any], Items]:
    """Read all scores and compare them.

    Args:
        evidence (Evidence): with the rows and seeds of its command; a row that lacks a run is left out.

    Returns:
        tuple[dict, dict]: the JSON, and ``<row>/<set>/<metric>`` -> (seeds, items) bool, of the row ``control`` too.
    """
    args = evidence.args
    complete = [
        row
        for row in args.rows
        if all(
            evidence.trained(row, seed) and not missing(evidence.folder(row, seed) / 'scores', args)
            for seed in args.seeds
        )
    ]
    scored = {row: [_read_all(evidence, row, seed) for seed in args.seeds] for row in (*complete, 'control')}
    items: Items = {}
    for row, seeds in scored.items():
        for name in seeds[0].correct:
            items[f'{row}/{name}'] = np.stack([one.correct[name] for one in seeds])
    about = scored['control'][0].about
    names = list(about['shapes'])
    summaries = {row: {name: {} for name in names} for row in complete}
    for name in names:
        for metric in METRICS:
            for row, summary in _summaries(items, complete, f'{name}/{metric}').items():
                summaries[row][name][metric] = summary
    result = {
        'command': args.command,
        'config': short(evidence.base),
        'named': ' '.join([short(args.config.resolve()), *args.cfg_options]),
        'minutes': args.minutes,
        'seeds': args.seeds,
        'threads': args.threads,
        'jobs': args.jobs,
        'device': 'GPU' if args.device == 'auto' and torch.cuda.is_available() else 'CPU',
        'smoke': args.smoke,
        'seconds': evidence.state.values.get('seconds'),
        'environment': collect_env(),
        'tokenizer': evidence.tokenizer,
        'protocols': about['protocols'],
        'shapes': about['shapes'],
        'rows': [_row(evidence, row, scored[row], summaries[row]) for row in complete],
        'control': {name: _control(scored['control'], name, args.seeds, items) for name in names},
    }
    return result, items


def _read_all(evidence: Any, row: str, seed: int) -> Scored:
    """All sets of shapes of one run together."""
    about: dict[str, Any] = {'shapes': {}, 'protocols': {}, 'scores': {}}
    correct: Items = {}
    for name in sets(evidence.args):
        one = read(evidence.folder(row, seed) / 'scores' / f'{name}.npz')
        about['shapes'].update(one.about['shapes'])
        about['scores'].update(one.about['scores'])
        about['protocols'].update(dict.fromkeys(one.about['shapes'], one.about['protocol']))
        correct.update(one.correct)
    return Scored(about, correct)


def _summaries(items: Items, rows: list[str], name: str) -> dict[str, dict[str, Any]]:
    """Of one metric on one set: spread over seeds, and differences with the interval of the test items."""
    control, whole = items[f'control/{name}'], items.get(f'all/{name}')
    pairs = [(items[f'{row}/{name}'], control) for row in rows]
    if whole is not None:
        pairs += [(items[f'{row}/{name}'], whole) for row in rows]
    intervals = [interval._asdict() for interval in paired_bootstrap(pairs)]
    found = {}
    for place, row in enumerate(rows):
        found[row] = {
            **_spread(items[f'{row}/{name}']),
            'minus_control': intervals[place],
            'minus_all': intervals[len(rows) + place] if whole is not None else None,
        }
    return found


def _spread(correct: NDArray[np.bool_]) -> dict[str, Any]:
    return spread(correct.mean(axis=1))._asdict()


def _row(evidence: Any, row: str, scored: list[Scored], summary: dict[str, Any]) -> dict[str, Any]:
    iterations, seconds = evidence.iterations(row), evidence.seconds_per_update(row)
    batch = evidence.cfg.train_dataloader.batch_size
    runs = []
    for seed, one in zip(evidence.args.seeds, scored, strict=True):
        folder = evidence.folder(row, seed)
        checkpoint = Path(last_checkpoint(folder)).resolve()
        runs.append(
            {
                'seed': seed,
                'folder': folder.relative_to(evidence.args.work_dir).as_posix(),
                'command': shlex.join(evidence.command(row, seed)),
                'checkpoint': checkpoint.relative_to(evidence.args.work_dir).as_posix(),
                'scores': {name: scores['encoder'] for name, scores in one.about['scores'].items()},
            }
        )
    return {
        'row': row,
        'title': ROWS[row].title,
        'tasks': list(ROWS[row].tasks),
        'iterations': iterations,
        'samples': iterations * batch,
        'samples_per_second': batch / seconds,
        'seconds_per_update': seconds,
        # By the clock of the short run: a training may have been interrupted.
        'minutes': iterations * seconds / 60,
        'runs': runs,
        'summary': summary,
    }


def _control(scored: list[Scored], name: str, seeds: list[int], items: Items) -> dict[str, Any]:
    return {
        'runs': [{'seed': seed, **one.about['scores'][name]} for seed, one in zip(seeds, scored, strict=True)],
        'summary': {metric: _spread(items[f'control/{name}/{metric}']) for metric in METRICS},
    }
