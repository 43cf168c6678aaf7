"""Which tasks a run of tools/benchmark.py has, by what is asked for and what data are at hand."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import real_shapes
from _scoring import SMOKE_DATA, val_shapes

from mmpt.registry import DATASETS
from mmpt.utils.checkpoint import TRANSFERRED, geometry_differences, load_checkpoint
from mmpt.utils.config import load_config, parse_options
from mmpt.utils.errors import ConfigError, explain

from .bench import GENERATED, ROOT, Bench
from .jobs import SOURCES, Job
from .table import REAL_SHAPES, generated_tasks, real_tasks
from .tasks import Task, array_tasks, pair_task
from .trainings import leaves

__all__ = ['jobs_of', 'notes_on', 'tasks_of']

#: labelled shapes of the quick start's val loop.
_GENERATED_CONFIG = 'configs/mmpt/quickstart_pretrain.py'
#: data with a picture each, by name: of ``--data``, title, config.
_PAIRS = {
    'generated': ('generated', 'generated classes', 'configs/_base_/datasets/pairs_synthetic.py'),
    'shapenet': ('real', 'ShapeNet-55', 'configs/_base_/datasets/pairs_shapenet.py'),
}
#: how few pairs each part has in a smoke run.
_SMOKE_PAIRS = {
    'generated': SMOKE_DATA[1:],
    'shapenet': [f'val_dataloader.dataset.datasets.{part}.indices=12' for part in (0, 1)],
}
#: shapes of a class in each part of real data in a smoke run; five are what the cross-validation needs.
_SMOKE_SHAPES = 5


def tasks_of(bench: Bench, args: argparse.Namespace) -> tuple[list[Task], list[str]]:
    """All tasks of the suite that can be run.

    Args:
        bench (Bench): gets the shapes that the tasks refer to.
        args (Namespace): ``suite``, ``data``, ``config``, ``npz``, ``up_axis``, ``tasks`` of the command line.

    Returns:
        tuple[list[Task], list[str]]: the tasks, and a sentence for everything that was left out.

    Raises:
        ConfigError: an unknown task, one whose data are not there, or nothing left to do.
    """
    skipped: list[str] = []
    smoke = parse_options(SMOKE_DATA[1:]) if bench.smoke else None
    # An untrained encoder takes its batch statistics from these before it is trained on anything.
    bench.add_shapes(GENERATED, lambda: val_shapes(ROOT / _GENERATED_CONFIG, smoke))
    tasks: list[Task] = []
    if args.data in ('generated', 'both'):
        tasks += generated_tasks()
    if args.data in ('real', 'both'):
        for path in args.npz:
            if not path.is_file():
                raise ConfigError(f'--npz {path} is not there; it is an npz of labelled shapes (docs/data.md).')
            if path.stem in (GENERATED, *REAL_SHAPES):
                raise ConfigError(f'--npz {path} has the name of other data here; give the file another name.')
            bench.add_shapes(path.stem, lambda path=path: _npz(path, args.up_axis))
            tasks += array_tasks(path.stem, path.stem)
        for name, (_, config, options, _) in REAL_SHAPES.items():
            bench.add_shapes(name, partial(_real_shapes, config, options, bench.smoke))
        tasks += real_tasks()
    if args.config:
        tasks += [
            pair_task(name, args.config, config, title, _SMOKE_PAIRS[name] if bench.smoke else ())
            for name, (kind, title, config) in _PAIRS.items()
            if args.data in (kind, 'both')
        ]
    else:
        skipped.append('Retrieval between pictures and shapes: --config names no pre-training with a joint space.')
    wanted = [task for task in tasks if args.tasks or args.suite == 'full' or task.suite == 'quick']
    reasons = _reasons(wanted)
    there = [task for task in wanted if task.name not in reasons]
    for name in args.tasks:
        if name in reasons:
            raise ConfigError(f'--tasks {name} cannot be run: {reasons[name]}.')
        if name not in {task.name for task in there}:
            known = ', '.join(sorted(task.name for task in there))
            raise ConfigError(f'--tasks {name} is none of those that can be run here: {known}.')
    for reason in dict.fromkeys(reasons.values()):
        skipped.append(f'{", ".join(name for name in reasons if reasons[name] == reason)}: {reason}.')
    chosen = [task for task in there if not args.tasks or task.name in args.tasks]
    if not chosen:
        raise ConfigError(f'There is nothing to run: give --npz, or --data generated. Left out: {" ".join(skipped)}')
    return chosen, skipped


def _reasons(tasks: Sequence[Task]) -> dict[str, str]:
    """Why tasks cannot be run: name -> what is the matter with the data of its config."""
    problem, of_config = cache(_problem), cache(_data_sets)
    found = {}
    for task in tasks:
        reasons = [reason for data in of_config(task.config, tuple(task.options)) if (reason := problem(data))]
        if reasons:
            found[task.name] = reasons[0]
    return found


def _data_sets(config: str, options: Sequence[str]) -> list[str]:
    """The data sets of a config that read files, as JSON, without what is done to their samples."""
    if not config:
        return []
    cfg = load_config(ROOT / config, parse_options(list(options)))
    loaders = [cfg.get(f'{part}_dataloader') or {} for part in ('train', 'val', 'test')]
    # A config that is a base alone says how it loads before it says what.
    found = [leaf for loader in loaders if 'dataset' in loader for _, leaf in leaves(loader['dataset'])]
    data = [leaf for leaf in found if 'data_root' in leaf]
    return [json.dumps({key: leaf[key] for key in sorted(leaf) if key != 'pipeline'}) for leaf in data]


def _problem(data_set: str) -> str:
    """What keeps a data set from being opened; empty where nothing does."""
    data = json.loads(data_set)
    if not Path(data['data_root']).is_dir():
        return f'{data["data_root"]} is not there (docs/datasets/README.md says what is expected)'
    try:
        DATASETS.build(data)
    except (OSError, ValueError) as error:
        return ' '.join((explain(error) or str(error)).split()).rstrip('.')
    return ''


def notes_on(bench: Bench, tasks: Sequence[Task]) -> list[str]:
    """Where real data are not as those of the pre-training: axis, normalisation, points.

    Args:
        bench (Bench): with the checkpoint.
        tasks (Sequence[Task]): that will be run.

    Returns:
        list[str]: a sentence for every difference, with the tasks that have it.
    """
    checkpoint = load_checkpoint(bench.checkpoint)
    found: dict[str, list[str]] = {}
    for task in tasks:
        if not _data_sets(task.config, tuple(task.options)):
            continue
        cfg = load_config(ROOT / task.config, parse_options(list(task.options)))
        loader = cfg.get('val_dataloader') or cfg.get('test_dataloader') or cfg.train_dataloader
        info = DATASETS.build(loader.dataset).metainfo
        for sentence in geometry_differences(checkpoint, info, TRANSFERRED):
            found.setdefault(sentence, []).append(task.name)
    return [f'{", ".join(names)}: {sentence}' for sentence, names in found.items()]


def _real_shapes(config: str, options: Sequence[str], smoke: bool) -> dict[str, Any]:
    return val_shapes(ROOT / config, parse_options(list(options)), per_class=_SMOKE_SHAPES if smoke else None)


def _npz(path: Path, up_axis: str) -> dict[str, Any]:
    data = real_shapes.read_shapes(str(path), up_axis, 1024)
    return {part: data[part] for part in ('train', 'test')}


def jobs_of(tasks: Sequence[Task], seeds: Sequence[int]) -> list[Job]:
    """Both encoders for every task and seed, so that an early stop leaves whole comparisons."""
    return [Job(task.name, source, seed) for task in tasks for seed in seeds for source in SOURCES]
