"""Converting many files, one after another or a few at once: progress, what went wrong, and how to go on."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from .errors import MMPTError, TrainingInterrupted

__all__ = ['ConversionError', 'Progress', 'convert_all']

# What a file that cannot be used shows itself as; anything else, such as a full disk, stops the whole conversion.
_BAD_INPUT = (ValueError, FileNotFoundError)


class ConversionError(MMPTError):
    """Some of the files could not be converted."""


class Progress:
    """Share done and time left, on stderr: a line that is rewritten, or one every ten seconds where that is a file.

    Args:
        total (int): how many there are to do.
        unit (str): what they are, such as 'rooms'.
    """

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.unit, self.done = total, unit, 0
        self.start = self.last = time.monotonic()
        self.rewrites = sys.stderr.isatty()

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        now = time.monotonic()
        if now - self.last < (0.2 if self.rewrites else 10):
            return
        self.last = now
        left = (now - self.start) / self.done * (self.total - self.done)
        text = f'  {self.done} of {self.total} {self.unit}, {_say(left)} left'
        print(
            f'\r{text:<70}' if self.rewrites else text, end='' if self.rewrites else '\n', file=sys.stderr, flush=True
        )

    def say(self, text: str) -> None:
        """Print a line that stays."""
        print(f'\r{text:<70}'.rstrip() if self.rewrites else text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Say how long it took."""
        self.say(f'  {self.done} of {self.total} {self.unit} in {_say(time.monotonic() - self.start)}')


def _say(seconds: float) -> str:
    if seconds < 100:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 6000 else f'{seconds / 3600:.1f} h'


def convert_all(tasks: Mapping[str, Any], convert: Callable[[Any], list[str]], unit: str, workers: int = 1) -> None:
    """Call ``convert`` for every task; a task that fails does not stop the others.

    Args:
        tasks (Mapping[str, Any]): name -> what ``convert`` gets.
        convert (Callable): does one, writes its result atomically, and returns what the user should know of it, a list
            of sentences. A function of a module, since other processes call it where ``workers`` is more than 1.
        unit (str): what the tasks are, such as 'rooms'.
        workers (int): processes.

    Raises:
        ConversionError: some failed, each of them named on stderr before.
        TrainingInterrupted: Ctrl-C; what was begun has been finished or left no trace.
    """
    progress, failed = Progress(len(tasks), unit), []

    def finish(name: str, result: Callable[[], list[str]]) -> None:
        try:
            for note in result():
                progress.say(f'  {name}: {note}')
        except _BAD_INPUT as error:
            failed.append(name)
            progress.say(f'  {name} failed: {" ".join(str(error).split())}')
        progress.step()

    try:
        if workers <= 1:
            for name, task in tasks.items():
                finish(name, lambda task=task: convert(task))
        else:
            _run_pool(tasks, convert, workers, finish)
    except KeyboardInterrupt as error:
        raise TrainingInterrupted(
            f'Stopped after {progress.done} of {len(tasks)} {unit}; the same command goes on from there.'
        ) from error
    progress.close()
    if failed:
        names = ', '.join(failed[:5]) + (', ...' if len(failed) > 5 else '')
        raise ConversionError(
            f'{len(failed)} of {len(tasks)} {unit} could not be converted ({names}; the reasons are above): put the '
            'files in order and run the same command again, which leaves out what is done.'
        )


def _run_pool(
    tasks: Mapping[str, Any],
    convert: Callable[[Any], list[str]],
    workers: int,
    finish: Callable[[str, Callable[[], list[str]]], None],
) -> None:
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, context, initializer=_leave_interrupts_to_the_parent) as pool:
        futures = {pool.submit(convert, task): name for name, task in tasks.items()}
        try:
            for future in as_completed(futures):
                finish(futures[future], future.result)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
