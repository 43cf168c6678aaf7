"""Tasks of tools/benchmark.py that train: a head, an encoder with a head, or one for every fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from family import schedule_options
from few_shot import FewShot, parse_args

from mmpt.evaluation.protocols import spread
from mmpt.utils.config import load_config

from .bench import GENERATED, ROOT, Bench
from .jobs import Job, Store
from .tasks import SETTINGS, Score, Task, over_folds

__all__ = ['few_shot_task', 'leaves', 'training']

#: seconds of a job at real size, until one has been timed: nobody has.
_HOURS = 20_000.0
_SMOKE_UPDATES = 2
#: what makes heads small in a smoke run, by the head where a model takes several, else by the model.
_TINY = {
    'GraphSegmentationHead': ('head.centers=[16,32]', 'head.inner_dim=16', 'head.graph_dim=16', 'head.last_dim=16'),
    'CompletionModel': (
        'num_queries=8',
        'head.global_dim=16',
        'head.dim=16',
        'head.depth=1',
        'head.num_heads=2',
        'head.fold_dim=16',
    ),
    'PartSegmentor': ('head.point_dims=[16,16]', 'head.dims=[16,16]'),
    'SemanticSegmentor': ('head.point_dims=[16,16]', 'head.dims=[16,16]'),
    'SetDetector': ('task_encoder.num_groups=32', 'num_queries=16', 'head.dim=16', 'head.depth=1'),
}


def training(
    name: str,
    title: str,
    config: str,
    scores: Mapping[str, Score],
    *,
    suite: str = 'full',
    updates: int | None = None,
    cost: float = _HOURS,
    smoke: int = 1,
) -> Task:
    """A task that trains by a config and scores the last update.

    Args:
        name (str): of the task.
        title (str): of the task in tables.
        config (str): relative to the checkout.
        scores (Mapping[str, Score]): with ``key`` and ``loop``; one of the test loop lets that run behind the training.
        suite (str): ``quick`` or ``full``.
        updates (int | None): stretch the config to so many; None: as it says.
        cost (float): seconds that one job is expected to take, until one has been timed.
        smoke (int): samples of each data set of a smoke run.
    """
    run = partial(_train, config=config, scores=scores, updates=updates, smoke=smoke)
    return Task(name, title, suite, scores, cost, run, config)


def _train(
    bench: Bench, job: Job, config: str, scores: Mapping[str, Score], updates: int | None, smoke: int
) -> dict[str, Any]:
    cfg = load_config(ROOT / config)
    count = _SMOKE_UPDATES if bench.smoke else updates or cfg.train_cfg.max_iters
    options = [*schedule_options(cfg, count), *(_smoke_options(cfg, smoke) if bench.smoke else ())]
    keys, test_keys = (
        {name: score.key for name, score in scores.items() if score.loop == loop} for loop in ('val', 'test')
    )
    result = bench.train(job, str(ROOT / config), keys, options, test_keys)
    line = f'{config}, {count:,} updates, the last one scored; untrained batch statistics calibrated'
    return {**result, 'protocol': f'{line}; its test loop behind it' if test_keys else line}


def leaves(dataset: Mapping[str, Any], place: str = '') -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The data sets that read something below one of a config, each with the dotted key of where it stands."""
    if 'dataset' in dataset:
        yield from leaves(dataset['dataset'], f'{place}.dataset')
    elif 'datasets' in dataset:
        for number, part in enumerate(dataset['datasets']):
            yield from leaves(part, f'{place}.datasets.{number}')
    else:
        yield place, dataset


def _smoke_options(cfg: Any, samples: int) -> list[str]:
    """Options that make a training one of seconds."""
    head = (cfg.model.get('head') or {}).get('type')
    options = [f'model.{option}' for option in _TINY.get(head, _TINY.get(cfg.model.type, ()))]
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name) is None:
            continue
        options += [f'{name}.batch_size=2', *_in_one_process(name)]
        for place, leaf in leaves(cfg[name].dataset, f'{name}.dataset'):
            options.append(f'{place}.{"size" if "size" in leaf else "indices"}={samples}')
        if 'draws' in cfg[name].dataset:
            options += [f'{name}.dataset.draws=2', 'test_evaluator.0.votes=2']
    return options


def _in_one_process(loader: str) -> list[str]:
    return [f'{loader}.num_workers=0', f'{loader}.persistent_workers=False']


def few_shot_task(
    name: str, title: str, config: str, scores: Mapping[str, Score], *, frozen: bool, cost: float
) -> Task:
    """A task on all folds of a config, scored as tools/few_shot.py does.

    Args:
        name (str): of the task.
        title (str): of the task in tables.
        config (str): of one fold, relative to the checkout.
        scores (Mapping[str, Score]): by the names of :data:`SETTINGS`.
        frozen (bool): a linear SVM on frozen features; otherwise the encoder is fine-tuned on every fold.
        cost (float): seconds that one job is expected to take, until one has been timed.
    """
    run = partial(_folds, config=config, frozen=frozen)
    return Task(name, title, 'quick' if frozen else 'full', scores, cost, run, config)


def _folds(bench: Bench, job: Job, config: str, frozen: bool) -> dict[str, Any]:
    count, settings = (2, [*SETTINGS.items()][:1]) if bench.smoke else (10, SETTINGS.items())
    words = [str(ROOT / config), '--checkpoint', str(bench.encoder_file(job)), '--work-dir', str(bench.folder_of(job))]
    words += ['--folds', str(count), '--seed', str(count * job.seed), *(['--frozen'] if frozen else [])]
    options = []
    if bench.smoke:
        options += ['epochs=1', *_in_one_process('train_dataloader'), *_in_one_process('val_dataloader')]
    if 'parts' in load_config(ROOT / config).val_dataloader.dataset:
        # Drawn folds are others for another seed; published ones are what they are.
        options += [f'{part}_dataloader.dataset.seed={job.seed}' for part in ('train', 'val')]
    args = parse_args([*words, '--cfg-options', *options])
    encoders = bench.variants(job.source, job.seed, GENERATED) if frozen else (None,)
    rows, results = [], []
    for variant, encoder in enumerate(encoders):
        tool = FewShot(args, bench.device, encoder)
        store = Store(tool.folder, tool.digest())
        row = {}
        for setting, (way, shot) in settings:
            folds = []
            for fold in range(count):
                one = Job(f'{way}way_{shot}shot', f'variant_{variant}', fold)
                if store.load(one) is None:
                    store.put(one, tool.score(way, shot, fold))
                folds.append(store.load(one))
            row[setting] = spread(found['scores']['svm' if frozen else 'accuracy'] for found in folds)
            results += folds
        rows.append(row)
    peaks = {'peak_mb': max(found['peak_mb'] for found in results)} if not frozen else {}
    return {**over_folds(rows), 'protocol': results[0]['protocol'], 'record': results[0]['record'], **peaks}
