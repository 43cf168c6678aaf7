"""Jobs of tools/benchmark.py: one encoder, one task, one seed; each result is a file, so that nothing is done twice."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, barrier, get_rank, get_world_size

from mmpt.utils.errors import ConfigError, explain
from mmpt.utils.io import atomic_write

__all__ = ['SOURCES', 'Job', 'Store', 'run_jobs']

#: the encoder that is measured, and the same one before any training: the control.
SOURCES = ('checkpoint', 'random')


@dataclass(frozen=True)
class Job:
    """What one result is of.

    Attributes:
        task (str): name of the task.
        source (str): one of :data:`SOURCES`.
        seed (int): of the draws of the task and, for ``random``, of the encoder's initialisation.
    """

    task: str
    source: str
    seed: int

    def __str__(self) -> str:
        """For a line of progress."""
        return f'{self.task}, {self.source}, seed {self.seed}'


class Store:
    """Results in a folder, one JSON file a job.

    Args:
        folder (Path): made where it is missing.
        digest (str): of everything that decides results; a folder of another one is refused.
        fresh (bool): forget what the folder holds: results, trainings and encoders that they began with.
    """

    def __init__(self, folder: Path, digest: str, fresh: bool = False) -> None:
        self.folder = folder
        mark = folder / 'run.json'
        if fresh:
            for path in [*folder.glob('results/*.json'), mark]:
                path.unlink(missing_ok=True)
            # A training goes on where it stopped, so one of another checkpoint would be taken for done.
            for name in ('runs', 'controls'):
                shutil.rmtree(folder / name, ignore_errors=True)
        known = json.loads(mark.read_text())['digest'] if mark.is_file() else None
        if known not in (None, digest):
            raise ConfigError(
                f'{folder} holds results of another checkpoint or of other settings; add --fresh to forget them, or '
                'give another --work-dir.'
            )
        atomic_write(json.dumps({'digest': digest}).encode(), mark)

    def path(self, job: Job) -> Path:
        """Where the result of a job is."""
        return self.folder / 'results' / f'{job.task}-{job.source}-{job.seed}.json'

    def load(self, job: Job) -> dict[str, Any] | None:
        """The result, None where there is none yet."""
        path = self.path(job)
        return json.loads(path.read_text()) if path.is_file() else None

    def put(self, job: Job, result: Mapping[str, Any]) -> None:
        """Keep a result."""
        atomic_write(json.dumps(result, indent=1).encode(), self.path(job))


def run_jobs(
    jobs: Sequence[Job],
    store: Store,
    execute: Callable[[Job], Mapping[str, Any]],
    costs: Mapping[str, float],
    configs: Mapping[str, str],
) -> list[tuple[Job, str]]:
    """Run what has no result yet; the processes of a run share the jobs and wait for each other at the end.

    Args:
        jobs (Sequence[Job]): all of them, in the same order in every process.
        store (Store): where results are looked up and kept.
        execute (Callable): a job -> ``scores`` (name -> figure), ``protocol`` (text) and what else is worth keeping.
        costs (Mapping[str, float]): about how many seconds a job of a task takes, before one has been timed.
        configs (Mapping[str, str]): task -> digest of its config, kept with every result.

    Returns:
        list[tuple[Job, str]]: jobs that failed, of all processes, and why; the rest goes on.

    Raises:
        ConfigError: a result is of another state of the task's config.
    """
    known = {job: store.load(job) for job in jobs}
    for job, result in known.items():
        if result is not None and result.get('config') != configs[job.task]:
            raise ConfigError(
                f'{store.path(job)} was made before the config of {job.task} was changed; add --fresh to forget all '
                f'results, or remove it and {store.folder / "runs"}/{job.task}-*.'
            )
    open_jobs = [job for job, result in known.items() if result is None]
    # Nobody stores a result before everybody has looked.
    barrier()
    own = open_jobs[get_rank() :: get_world_size()]
    if len(open_jobs) < len(jobs):
        print(f'{len(jobs) - len(open_jobs)} of {len(jobs)} jobs are done already.', flush=True)
    failed: list[tuple[Job, str]] = []
    seen: dict[str, list[float]] = {}
    for place, job in enumerate(own):
        left = sum(_expected(other.task, seen, costs) for other in own[place:])
        print(f'== {place + 1} of {len(own)}: {job}, about {left / 60:.1f} minutes left', flush=True)
        _reset_peak()
        start = time.perf_counter()
        try:
            result = dict(execute(job))
        except KeyboardInterrupt:
            raise
        except Exception as error:
            said = ' '.join((explain(error) or f'{type(error).__name__}: {error}').split())
            print(f'   failed: {said}', file=sys.stderr, flush=True)
            failed.append((job, said))
            continue
        seconds = time.perf_counter() - start
        seen.setdefault(job.task, []).append(seconds)
        # A training in a process of its own knows its own peak.
        store.put(job, {'seconds': seconds, 'peak_mb': _peak_mb(), 'config': configs[job.task], **result})
        scores = ', '.join(f'{name} {value:.3f}' for name, value in result['scores'].items())
        print(f'   {scores} ({seconds:.0f} s)', flush=True)
    return [entry for part in all_gather_object(failed) for entry in part]


def _expected(task: str, seen: Mapping[str, Iterable[float]], costs: Mapping[str, float]) -> float:
    times = list(seen.get(task, ()))
    return sum(times) / len(times) if times else costs[task]


def _reset_peak() -> None:
    """Let the peak memory of the process be that of what comes next."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    # Not Linux, or not allowed: the peak is then that of the whole process.
    with contextlib.suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')


def _peak_mb() -> float | None:
    """Peak memory since :func:`_reset_peak`: of the GPU where there is one, of the process otherwise; None: unknown."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        status = Path('/proc/self/status').read_text()
    except OSError:
        return None
    (line,) = (line for line in status.splitlines() if line.startswith('VmHWM:'))
    return int(line.split()[1]) / 1024
