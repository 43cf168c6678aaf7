"""The tasks of tools/benchmark.py that train nothing but a linear SVM: what each measures, and by which protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple

from _scoring import config_digest
from retrieval import Pairs

from mmpt.apis import get_model
from mmpt.evaluation import embed_pairs, pair_controls, score_pairs
from mmpt.evaluation.protocols import FewShotProtocol, Protocol, RetrievalProtocol, Spread, few_shot, probe, retrieve
from mmpt.utils.config import load_config, parse_options

from .bench import ROOT, Bench, better
from .jobs import Job
from .published import Figure

__all__ = ['SETTINGS', 'Score', 'Task', 'array_tasks', 'over_folds', 'pair_task']

#: what few-shot is measured on, by custom: classes and examples of each.
SETTINGS = {f'{way}-way {shot}-shot': (way, shot) for way in (5, 10) for shot in (10, 20)}
Run = Callable[[Bench, Job], Mapping[str, Any]]


class Score(NamedTuple):
    """One figure that a task gives.

    Attributes:
        title (str): in tables.
        key (str): what the loop of a training logs it as.
        loop (str): ``val`` or ``test``, which of its loops that is.
        lower (bool): it is better when lower, as a distance is.
        published (tuple[Figure, ...]): what others published for it.
    """

    title: str
    key: str = ''
    loop: str = 'val'
    lower: bool = False
    published: Sequence[Figure] = ()


@dataclass(frozen=True)
class Task:
    """One line of work.

    Attributes:
        name (str): in file names and for ``--tasks``.
        title (str): in tables.
        suite (str): ``quick``, or ``full`` for what only the full suite does.
        scores (Mapping[str, Score]): by name.
        cost (float): seconds that one job is expected to take, until one has been timed.
        run (Callable): the bench and a job -> ``scores`` and ``protocol``; ``deviations``, where a score is a mean over
            folds.
        config (str): whose data must be there, relative to the checkout.
        options (Sequence[str]): ``key=value`` over what it says.
    """

    name: str
    title: str
    suite: str
    scores: Mapping[str, Score]
    cost: float
    run: Run
    config: str = ''
    options: Sequence[str] = ()

    def digest(self) -> str:
        """Of the config and the options over it; empty without a config."""
        if not self.config:
            return ''
        return config_digest(load_config(ROOT / self.config, parse_options(list(self.options))))


def array_tasks(
    name: str,
    title: str,
    kinds: Sequence[str] = ('probe', 'few_shot', 'retrieval'),
    svm: Sequence[Figure] = (),
    **data: Any,
) -> list[Task]:
    """Tasks on the features of labelled shapes.

    Args:
        name (str): of the shapes in the bench.
        title (str): of the data in tables.
        kinds (Sequence[str]): which tasks.
        svm (Sequence[Figure]): what others published for the linear SVM.
        **data (Any): ``config`` and ``options`` of a task.
    """
    probing = {'knn': Score('1-NN'), 'svm': Score('linear SVM', published=svm)}
    nearest = {'R@1': Score('class R@1'), 'mAP': Score('mAP')}
    tasks = {
        'probe': (title, probing, 30.0, _probe),
        'few_shot': (f'{title}, few-shot', {setting: Score(setting) for setting in SETTINGS}, 10.0, _few_shot),
        'retrieval': (f'{title}, shape to shape', nearest, 30.0, _retrieval),
    }
    made = []
    for kind in kinds:
        shown, scores, cost, run = tasks[kind]
        made.append(Task(f'{kind}-{name}', shown, 'quick', scores, cost, partial(run, name=name), **data))
    return made


def _probe(bench: Bench, job: Job, name: str) -> dict[str, Any]:
    shapes = bench.shapes(name)
    protocol = Protocol(num_points=shapes['train'][0].shape[1], seed=job.seed)
    split = {part: len(labels) for part, (_, labels) in shapes.items()}
    rows = []
    for parts in bench.features_of(job, name, protocol.pooling):
        scores = probe(*parts['train'], *parts['test'], protocol)
        rows.append({'knn': scores.knn, 'svm': scores.svm.accuracy})
    line = f'{split["train"]:,} training and {split["test"]:,} test shapes; {protocol.describe()}'
    return {'scores': better(rows), 'protocol': line, 'record': {**protocol.to_dict(), 'split': split}}


def _few_shot(bench: Bench, job: Job, name: str) -> dict[str, Any]:
    protocol, settings, line = FewShotProtocol(seed=job.seed), SETTINGS, ''
    if bench.smoke:
        # There are fewer shapes of a class than the first setting asks for.
        protocol, settings = replace(protocol, queries=1, folds=2), {next(iter(SETTINGS)): (2, 2)}
        line = '; a smoke run: 2 classes with 2 examples each'
    rows = []
    for parts in bench.features_of(job, name, protocol.pooling):
        row = {}
        for setting, (way, shot) in settings.items():
            (scores,) = few_shot(*parts['train'], *parts['test'], protocol, (way,), (shot,)).values()
            row[setting] = scores['svm']
        rows.append(row)
    return {**over_folds(rows), 'protocol': protocol.describe() + line, 'record': protocol.to_dict()}


def over_folds(rows: Sequence[Mapping[str, Spread]]) -> dict[str, dict[str, float]]:
    """``scores`` and ``deviations`` of the variant of an encoder that is the best, setting by setting."""
    best = better(rows)
    return {
        'scores': {setting: found.mean for setting, found in best.items()},
        'deviations': {setting: found.std for setting, found in best.items()},
    }


def _retrieval(bench: Bench, job: Job, name: str) -> dict[str, Any]:
    protocol = RetrievalProtocol(ks=(1,))
    rows = []
    for parts in bench.features_of(job, name, ('max', 'mean')):
        features, labels = parts['test']
        found = retrieve(features, labels=labels, protocol=protocol)
        rows.append({'R@1': found.by_class[1], 'mAP': found.mean_ap})
    line = 'features concat(max, mean) of the test part, cosine similarity, the query itself left out'
    return {'scores': better(rows), 'protocol': line, 'record': protocol.to_dict()}


def pair_task(name: str, config: str, data: str, title: str, options: Sequence[str] = ()) -> Task:
    """Retrieval between pictures and shapes in the joint space of a pre-training.

    Args:
        name (str): of the data.
        config (str): of the pre-training.
        data (str): config whose val loop has pictures, relative to the checkout.
        title (str): of the data in tables.
        options (Sequence[str]): ``key=value`` over what ``data`` says.
    """
    pairs = cache(lambda: Pairs(str(ROOT / data), parse_options(list(options)), 64))
    # One checkpoint has one embedding of each pair, whatever the seed of the task's draws.
    embedded = cache(
        lambda bench: embed_pairs(get_model(config, bench.checkpoint, bench.device), pairs().batches()),
    )
    scores = {
        'image to shape/R@5': Score('image to shape R@5'),
        'shape to image/R@5': Score('shape to image R@5'),
        'zero-shot/accuracy': Score('class by pictures'),
    }

    def run(bench: Bench, job: Job) -> dict[str, Any]:
        protocol = RetrievalProtocol(seed=job.seed, **({'prototype_images': 1} if bench.smoke else {}))
        known = embedded(bench)
        if job.source == 'checkpoint':
            measured = score_pairs(known, protocol).scores
        else:
            build, train = partial(get_model, config, device=bench.device), pairs().batches(known.part('train').rows)
            measured = pair_controls(build, pairs().batches(), train, protocol, (job.seed,))[0]['best']
        return {
            'scores': {score: measured[score] for score in scores if score in measured},
            'protocol': protocol.describe(),
            'record': protocol.to_dict(),
        }

    return Task(f'pairs-{name}', f'{title}, with pictures', 'quick', scores, 60.0, run, data, options)
