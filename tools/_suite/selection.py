"""Which tasks a run of tools/benchmark.py has, by what is asked for and what data are at hand."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import real_shapes
from _scoring import SMOKE_DATA, val_shapes

from mmpt.utils.config import load_config, parse_options
from mmpt.utils.errors import ConfigError

from .bench import GENERATED, ROOT, Bench
from .jobs import SOURCES, Job
from .tasks import Task, array_tasks, pair_task, training_tasks

__all__ = ['jobs_of', 'tasks_of']

#: labelled shapes of the quick start's val loop.
_GENERATED_CONFIG = 'configs/mmpt/quickstart_pretrain.py'
#: the same with a rendered picture each.
_PAIRS_CONFIG = 'configs/_base_/datasets/pairs_synthetic.py'
#: real data that are probed where they lie at the root that the config names.
_REAL_CONFIGS = {'ModelNet40': 'configs/_base_/datasets/modelnet40.py'}


def tasks_of(bench: Bench, args: argparse.Namespace) -> tuple[list[Task], list[str]]:
    """All tasks of the suite that can be run.

    Args:
        bench (Bench): gets the shapes that the tasks refer to.
        args (Namespace): ``suite``, ``data``, ``config``, ``npz``, ``up_axis``, ``tasks`` of the command line.

    Returns:
        tuple[list[Task], list[str]]: the tasks, and a sentence for everything that was left out.

    Raises:
        ConfigError: an unknown task, or nothing left to do.
    """
    tasks: list[Task] = []
    skipped: list[str] = []
    if args.data in ('generated', 'both'):
        smoke = parse_options(SMOKE_DATA[1:]) if bench.smoke else None
        bench.add_shapes(GENERATED, lambda: val_shapes(ROOT / _GENERATED_CONFIG, smoke))
        tasks += [*array_tasks(GENERATED, 'generated classes'), *training_tasks()]
        if args.config:
            tasks.append(pair_task(args.config, str(ROOT / _PAIRS_CONFIG), 'generated classes'))
        else:
            skipped.append('Retrieval between pictures and shapes: --config names no pre-training with a joint space.')
    if args.data in ('real', 'both'):
        for path in args.npz:
            if not path.is_file():
                raise ConfigError(f'--npz {path} is not there; it is an npz of labelled shapes (docs/data.md).')
            bench.add_shapes(path.stem, lambda path=path: _npz(path, args.up_axis))
            tasks += array_tasks(path.stem, path.stem)
        for title, config in _REAL_CONFIGS.items():
            root = Path(load_config(ROOT / config).val_dataloader.dataset.datasets[0].data_root)
            if not (ROOT / root).is_dir():
                skipped.append(f'{title}: {root} is not there ({config} says what is expected).')
                continue
            name = title.lower()
            bench.add_shapes(name, lambda config=config: val_shapes(ROOT / config))
            tasks += array_tasks(name, title)
    names = {task.name for task in tasks}
    unknown = [name for name in args.tasks if name not in names]
    if unknown:
        raise ConfigError(f'--tasks {unknown[0]} is none of those that can be run here: {", ".join(sorted(names))}.')
    tasks = [
        task
        for task in tasks
        if (task.name in args.tasks if args.tasks else args.suite == 'full' or task.suite == 'quick')
    ]
    if not tasks:
        raise ConfigError('There is nothing to run: give --npz, or --data generated.')
    return tasks, skipped


def _npz(path: Path, up_axis: str) -> dict[str, Any]:
    data = real_shapes.read_shapes(str(path), up_axis, 1024)
    return {part: data[part] for part in ('train', 'test')}


def jobs_of(tasks: Sequence[Task], seeds: Sequence[int]) -> list[Job]:
    """Both encoders for every task and seed, so that an early stop leaves whole comparisons."""
    return [Job(task.name, source, seed) for task in tasks for seed in seeds for source in SOURCES]
