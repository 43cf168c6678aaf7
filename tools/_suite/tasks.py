"""The tasks of tools/benchmark.py: what each measures, by which protocol, and about how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from family import schedule_options
from retrieval import Pairs

from mmpt.apis import get_model
from mmpt.evaluation import embed_pairs, pair_controls, score_pairs
from mmpt.evaluation.protocols import FewShotProtocol, Protocol, RetrievalProtocol, few_shot, probe, retrieve
from mmpt.utils.config import load_config

from .bench import ROOT, Bench, better
from .jobs import Job
from .published import PUBLISHED, Figure

__all__ = ['Task', 'array_tasks', 'pair_task', 'training_tasks']

#: what few-shot is measured on, by custom.
_SETTINGS = tuple(f'{way}-way {shot}-shot' for way in (5, 10) for shot in (10, 20))
Run = Callable[[Bench, Job], Mapping[str, Any]]
#: name of a score -> its title and what the val loop logs it as.
_CLASSES = {'accuracy': ('accuracy', 'test/accuracy'), 'by class': ('mean class', 'test/mean_class_accuracy')}


@dataclass(frozen=True)
class Task:
    """One line of work.

    Attributes:
        name (str): in file names and for ``--tasks``.
        title (str): in tables.
        suite (str): ``quick``, or ``full`` for what only the full suite does.
        scores (Mapping[str, str]): name of a score -> its title; all are better when higher.
        cost (float): seconds that one job is expected to take, until one has been timed.
        run (Callable): the bench and a job -> ``scores`` and ``protocol``.
        published (Mapping[str, tuple[Figure, ...]]): score -> what others published for it.
    """

    name: str
    title: str
    suite: str
    scores: Mapping[str, str]
    cost: float
    run: Run
    published: Mapping[str, Sequence[Figure]] = field(default_factory=dict)


def array_tasks(name: str, title: str) -> list[Task]:
    """Tasks on the features of labelled shapes.

    Args:
        name (str): of the shapes in the bench.
        title (str): of the data in tables.
    """
    known = {'svm': PUBLISHED.get(f'{title}, linear SVM', ())}
    shots = {setting: PUBLISHED.get(f'{title}, few-shot {setting}', ()) for setting in _SETTINGS}
    return [
        Task(
            f'probe-{name}',
            title,
            'quick',
            {'knn': '1-NN', 'svm': 'linear SVM'},
            30.0,
            lambda bench, job: _probe(bench, job, name),
            known,
        ),
        Task(
            f'few_shot-{name}',
            f'{title}, few-shot',
            'quick',
            {setting: setting for setting in _SETTINGS},
            10.0,
            lambda bench, job: _few_shot(bench, job, name),
            shots,
        ),
        Task(
            f'retrieval-{name}',
            f'{title}, shape to shape',
            'quick',
            {'R@1': 'class R@1', 'mAP': 'mAP'},
            30.0,
            lambda bench, job: _retrieval(bench, job, name),
        ),
    ]


def _probe(bench: Bench, job: Job, name: str) -> dict[str, Any]:
    points = bench.shapes(name)['train'][0]
    protocol = Protocol(num_points=points.shape[1], seed=job.seed)
    rows = []
    for parts in bench.features_of(job, name, protocol.pooling):
        scores = probe(*parts['train'], *parts['test'], protocol)
        rows.append({'knn': scores.knn, 'svm': scores.svm.accuracy})
    return {'scores': better(rows), 'protocol': protocol.describe(), 'record': protocol.to_dict()}


def _few_shot(bench: Bench, job: Job, name: str) -> dict[str, Any]:
    protocol = FewShotProtocol(seed=job.seed)
    rows = []
    for parts in bench.features_of(job, name, protocol.pooling):
        found = few_shot(*parts['train'], *parts['test'], protocol)
        rows.append({setting: scores['svm'].mean for setting, scores in found.items()})
    return {'scores': better(rows), 'protocol': protocol.describe(), 'record': protocol.to_dict()}


def _retrieval(bench: Bench, job: Job, name: str) -> dict[str, Any]:
    protocol = RetrievalProtocol(ks=(1,))
    rows = []
    for parts in bench.features_of(job, name, ('max', 'mean')):
        features, labels = parts['test']
        found = retrieve(features, labels=labels, protocol=protocol)
        rows.append({'R@1': found.by_class[1], 'mAP': found.mean_ap})
    line = 'features concat(max, mean) of the test part, cosine similarity, the query itself left out'
    return {'scores': better(rows), 'protocol': line, 'record': protocol.to_dict()}


def pair_task(config: str, data: str, title: str) -> Task:
    """Retrieval between pictures and shapes in the joint space of a pre-training.

    Args:
        config (str): of the pre-training.
        data (str): config whose val loop has pictures.
        title (str): of the data in tables.
    """
    pairs = cache(lambda: Pairs(data, {}, 64))
    scores = {
        'image to shape/R@5': 'image to shape R@5',
        'shape to image/R@5': 'shape to image R@5',
        'zero-shot/accuracy': 'class by pictures',
    }

    def run(bench: Bench, job: Job) -> dict[str, Any]:
        protocol = RetrievalProtocol(seed=job.seed)
        everything = pairs().batches()
        if job.source == 'checkpoint':
            found = score_pairs(embed_pairs(get_model(config, bench.checkpoint, bench.device), everything), protocol)
            measured = found.scores
        else:
            train = [i for i in range(len(pairs().dataset)) if pairs().dataset[i]['data_samples'].split == 'train']
            build = partial(get_model, config, device=bench.device)
            measured = pair_controls(build, everything, pairs().batches(train), protocol, (job.seed,))[0]['best']
        return {
            'scores': {name: measured[name] for name in scores if name in measured},
            'protocol': protocol.describe(),
            'record': protocol.to_dict(),
        }

    return Task('pairs-generated', f'{title}, with pictures', 'quick', scores, 60.0, run)


def training_tasks() -> list[Task]:
    """Heads that are trained on the encoder, on generated data."""
    return [
        _training(
            'linear-generated',
            'generated classes, linear head on the frozen encoder',
            'quick',
            'configs/classification/linear_synthetic.py',
            {
                'accuracy': ('accuracy', 'test/accuracy'),
                'mean class accuracy': ('mean class', 'test/mean_class_accuracy'),
            },
            270,
            45.0,
        ),
        _training(
            'parts-generated',
            'generated parts, head on the frozen encoder',
            'quick',
            'configs/part_segmentation/synthetic_frozen.py',
            {'instance': ('instance mIoU', 'part/instance_miou'), 'class': ('class mIoU', 'part/class_miou')},
            200,
            60.0,
        ),
        _training(
            'rooms-generated',
            'generated rooms, head on the frozen encoder',
            'full',
            'configs/semantic_segmentation/synthetic_frozen.py',
            {'miou': ('mIoU', 'semantic/miou'), 'accuracy': ('accuracy', 'semantic/accuracy')},
            300,
            400.0,
            smoke=4,
        ),
        _training(
            'finetune-generated',
            'generated classes, fine-tuned',
            'full',
            'configs/classification/finetune_synthetic.py',
            {
                'accuracy': ('accuracy', 'test/accuracy'),
                'mean class accuracy': ('mean class', 'test/mean_class_accuracy'),
            },
            810,
            400.0,
        ),
    ]


def _training(
    name: str,
    title: str,
    suite: str,
    config: str,
    scores: Mapping[str, tuple[str, str]],
    updates: int,
    cost: float,
    smoke: int = 54,
) -> Task:
    """A task that trains by a config for so many updates and scores the last one; ``smoke``: samples of a smoke run."""
    keys = {score: logged for score, (_, logged) in scores.items()}

    def train(bench: Bench, job: Job) -> dict[str, Any]:
        count = 4 if bench.smoke else updates
        options = [*schedule_options(load_config(ROOT / config), count)]
        if bench.smoke:
            options += [f'{part}_dataloader.dataset.size={smoke}' for part in ('train', 'val')]
        result = bench.train(job, config, keys, options)
        line = f'{config}, {count} updates, the last one scored; untrained batch statistics calibrated'
        return {**result, 'protocol': line}

    return Task(name, title, suite, {score: shown for score, (shown, _) in scores.items()}, cost, train)
