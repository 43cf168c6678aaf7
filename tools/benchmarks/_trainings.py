"""What tools that train many runs share: budgets, runs side by side in processes of their own, what is done already.

A run belongs to one process: its log is locked by the training itself, so that one which a killed command left behind
is waited for and never trained twice.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from _scoring import ROOT, SMOKE_DATA, config_digest, last_checkpoint

from mmpt.utils.config import load_config
from mmpt.utils.errors import ConfigError, TrainingInterrupted
from mmpt.utils.io import atomic_write
from mmpt.visualization import read_scalars

__all__ = [
    'NO_VAL',
    'Job',
    'State',
    'command_of',
    'cores',
    'make_tokenizer',
    'name_of',
    'schedule_options',
    'seconds_per_update',
    'short',
    'timing_job',
    'train',
    'training_job',
    'work_off',
]

#: Updates before the clock counts, and updates whose median it is.
WARM_UP, TIMED = 5, 20
#: Seconds between two lines of progress, and between two looks at the processes.
REPORT_EVERY, LOOK_EVERY = 60.0, 0.2
#: Options of runs that are scored behind the training, so that the val loop takes nothing of the budget.
NO_VAL = ['val_cfg=None', 'val_dataloader=None', 'val_evaluator=None']


def schedule_options(cfg: Any, iterations: int) -> list[str]:
    """Options that stretch a config to so many updates: rates, warm-up, intervals of checkpoints and hooks.

    Args:
        cfg (Config): with ``train_cfg.max_iters``.
        iterations (int): updates to train for.
    """
    share = iterations / cfg.train_cfg.max_iters
    options = [f'train_cfg.max_iters={iterations}', f'train_cfg.val_interval={iterations}']
    for place, scheduler in enumerate(cfg.get('param_scheduler') or []):
        begin = round(scheduler.get('begin', 0) * share)
        for key in ('begin', 'end', 'T_max'):
            if key in scheduler:
                value = begin if key == 'begin' else max(begin + 1, round(scheduler[key] * share))
                options.append(f'param_scheduler.{place}.{key}={value}')
    for place, hook in enumerate(cfg.get('custom_hooks') or []):
        if 'interval' in hook:
            options.append(f'custom_hooks.{place}.interval={max(1, round(hook.interval * share))}')
    return [*options, f'default_hooks.checkpoint.interval={max(1, iterations // 4)}']


class State:
    """What is known of a run, in a file that an interruption leaves whole."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.path = folder, folder / 'state.json'
        known = json.loads(self.path.read_text()) if self.path.is_file() else {'digest': digest}
        if known['digest'] != digest:
            raise ConfigError(f'{folder} holds a run of another config or budget; add --fresh, or give another folder.')
        self.values: dict[str, Any] = known

    def put(self, **values: Any) -> None:
        """Add and write."""
        self.values.update(values)
        atomic_write(json.dumps(self.values, indent=1).encode(), self.path)


@dataclass
class Job:
    """A command that runs beside others.

    Attributes:
        command (list[str]): ``python`` and its arguments, relative to the checkout.
        log (Path): what it prints, and the lock of the run.
        title (str): for progress and errors.
        seconds (float): that it may take.
        folder (Path | None): of a training, where it logs its curves.
        iterations (int): updates of a training; 0: no training.
        done (Callable | None): called with the seconds when it has ended well; what it returns is run next.
        filler (bool): keeps the others company, and is stopped when no other is left.
    """

    command: list[str]
    log: Path
    title: str
    seconds: float = 0.0
    folder: Path | None = None
    iterations: int = 0
    done: Callable[[float], Sequence[Job] | None] | None = None
    filler: bool = False

    def seconds_left(self, spent: float) -> float:
        """By the updates of its log where there is one."""
        done, seconds = self._logged()
        return (self.iterations - done) * seconds if done else max(0.0, self.seconds - spent)

    def progress(self, spent: float) -> str:
        """How far it is."""
        done, seconds = self._logged()
        if not done:
            return f'starting, {spent:.0f} s'
        return f'{done} of {self.iterations} updates, about {(self.iterations - done) * seconds / 60:.1f} minutes left'

    def _logged(self) -> tuple[int, float]:
        """Updates that were done, and seconds of one."""
        try:
            curves = read_scalars(self.folder) if self.folder else {}
            return curves['loss'].steps[-1], curves['time'].values[-1]
        except (FileNotFoundError, KeyError, IndexError):
            return 0, 0.0


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    start: float

    @property
    def spent(self) -> float:
        return time.perf_counter() - self.start


Report = Callable[[list[tuple[Job, float]], list[Job]], str]


def work_off(jobs: Sequence[Job], at_once: int, threads: int, report: Report) -> list[str]:
    """Run commands side by side, with a line of progress every minute.

    Ctrl-C and SIGTERM are handed to the commands, once, and end this when they have saved what they had.

    Args:
        jobs (Sequence[Job]): in the order to start them.
        at_once (int): how many run at a time.
        threads (int): OMP_NUM_THREADS of each.
        report (Callable): makes the line from what runs, with the seconds it has run, and from what waits.

    Returns:
        list[str]: a sentence for each that failed; the others were run all the same.

    Raises:
        TrainingInterrupted: after Ctrl-C or SIGTERM.
    """
    waiting, running, failed = list(jobs), [], []
    stopped = False

    def stop(*_: Any) -> None:
        nonlocal stopped
        stopped = True
        for one in running:
            one.process.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    said = time.perf_counter()
    try:
        while running or (waiting and not stopped):
            while len(running) < at_once and not stopped:
                started = next((one for one in (_start(job, threads) for job in waiting) if one), None)
                if started is None:
                    break
                waiting.remove(started.job)
                running.append(started)
            if all(one.job.filler for one in running) and all(job.filler for job in waiting):
                waiting.clear()
                for one in running:
                    one.process.send_signal(signal.SIGINT)
                    one.process.wait()
                running.clear()
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                if one.process.returncode == 0:
                    more = one.job.done(one.spent) if one.job.done else None
                    waiting[:0] = more or []
                elif not (stopped or one.job.filler):
                    failed.append(_failure(one))
            if time.perf_counter() - said > REPORT_EVERY:
                said = time.perf_counter()
                print(f'   {report([(one.job, one.spent) for one in running], waiting)}', flush=True)
            time.sleep(LOOK_EVERY)
    except BaseException:
        stop()
        for one in running:
            one.process.wait()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        raise TrainingInterrupted('Stopped; run the command again to go on from there.')
    return failed


def _start(job: Job, threads: int) -> _Running | None:
    """Start it; None while a process that an earlier command left behind still runs it."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open('ab') as out:
        if not _lock(out):
            return None
        out.write(f'\n$ {shlex.join(job.command)}\n'.encode())
        out.flush()
        process = subprocess.Popen(
            [sys.executable, *job.command[1:]],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this process alone, which hands it on once: a second one would stop without saving.
            start_new_session=True,
            env={**os.environ, 'OMP_NUM_THREADS': str(threads)},
        )
    return _Running(job, process, time.perf_counter())


def _lock(file: BinaryIO) -> bool:
    """Lock until the last process that has inherited the file ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _failure(one: _Running) -> str:
    lines = [line for line in one.job.log.read_text(errors='replace').splitlines() if line.strip()]
    return f'{one.job.title} failed ({one.process.returncode}): {lines[-1]} (see {one.job.log})'


def command_of(
    config: Path, folder: Path, options: list[str], args: argparse.Namespace, seed: int | None = None
) -> list[str]:
    """The training as a command line, relative to the checkout."""
    device = ['--device', 'cpu'] if args.device == 'cpu' else []
    chosen = [] if seed is None else ['--seed', str(seed)]
    line = ['python', 'tools/train.py', short(config), '--work-dir', short(folder), *device, *chosen, '--resume']
    return [*line, '--cfg-options', *options]


def short(path: Path) -> str:
    """Relative to the checkout, where trainings run, if it is inside."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def name_of(config: Path) -> str:
    """Short: as list_models has it, or the path of a file elsewhere."""
    inside = config.is_relative_to(ROOT / 'configs')
    return config.relative_to(ROOT / 'configs').with_suffix('').as_posix() if inside else str(config)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else (os.cpu_count() or 1)


def training_job(command: list[str], folder: Path, iterations: int, title: str = 'the training', **more: Any) -> Job:
    """A training with its log beside its folder."""
    return Job(command, folder.parent / f'{folder.name}.log', title, folder=folder, iterations=iterations, **more)


def train(command: list[str], folder: Path, iterations: int, args: argparse.Namespace) -> float:
    """Run a training in a process of its own with a line of progress every minute; returns its seconds.

    Raises:
        TrainingInterrupted: Ctrl-C; the training has saved its state.
        RuntimeError: it failed; the message is the end of its log.
    """
    spent: list[float] = []
    _alone(training_job(command, folder, iterations, done=spent.append), args)
    return spent[0]


def _alone(job: Job, args: argparse.Namespace) -> None:
    def report(running: list[tuple[Job, float]], _: list[Job]) -> str:
        return running[0][0].progress(running[0][1]) if running else f'waits for the process that writes {job.log}'

    failed = work_off([job], 1, args.threads, report)
    if failed:
        raise RuntimeError(failed[0])


def timing_job(
    config: Path,
    folder: Path,
    options: list[str],
    args: argparse.Namespace,
    found: Callable[[float], None],
    **more: Any,
) -> Job:
    """A short run of its own, which also makes the generated shapes; ``found`` gets the median seconds of an update."""
    count = WARM_UP + (2 if args.smoke else TIMED)
    timing = [f'train_cfg.max_iters={count}', 'log_processor.window_size=1', 'default_hooks.logger.interval=1']
    shutil.rmtree(folder, ignore_errors=True)

    def done(_: float) -> None:
        found(statistics.median(read_scalars(folder)['time'].values[WARM_UP:]))
        shutil.rmtree(folder)

    return training_job(
        command_of(config, folder, [*options, *NO_VAL, *timing], args), folder, count, done=done, **more
    )


def seconds_per_update(config: Path, folder: Path, options: list[str], args: argparse.Namespace) -> float:
    """The median of a short run that has the machine for itself.

    Raises:
        RuntimeError: it failed; the message is the end of its log.
    """
    seconds: list[float] = []
    _alone(timing_job(config, folder, options, args, seconds.append), args)
    return seconds[0]


def make_tokenizer(made_by: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train a tokenizer with the updates that its config says, once for all runs, none of which counts it."""
    cfg = load_config(made_by)
    options = []
    if args.smoke:
        options = [*SMOKE_DATA[:1], *schedule_options(cfg, 12), 'model.codebook_start=6']
    state = State(args.work_dir / 'tokenizers' / made_by.stem, f'{config_digest(cfg)} {options}')
    folder, iterations = state.folder / 'run', 12 if args.smoke else cfg.train_cfg.max_iters
    command = command_of(made_by, folder, [*options, *NO_VAL], args)
    if not state.values.get('trained'):
        print(f'== tokenizer {made_by.stem}: {iterations} updates, counted for no method', flush=True)
        spent = train(command, folder, iterations, args)
        state.put(seconds=state.values.get('seconds', 0.0) + spent, trained=True)
    return {
        'config': name_of(made_by),
        'iterations': iterations,
        'minutes': state.values['seconds'] / 60,
        'command': shlex.join(command),
        'checkpoint': short(Path(last_checkpoint(folder)).resolve()),
    }
