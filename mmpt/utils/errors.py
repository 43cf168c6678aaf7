"""Errors that a user can act on come out as one sentence; everything else keeps its traceback."""

from __future__ import annotations

import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

__all__ = ['CheckpointError', 'ConfigError', 'MMPTError', 'NonFiniteLossError', 'TrainingInterrupted', 'explain', 'run']

# Where a `raise` statement is a check of the user's input: our package, and the parts of mmengine that read configs.
_CHECKED_PLACES = (str(Path(__file__).parents[1]) + os.sep, *(f'mmengine{os.sep}{p}' for p in ('config', 'registry')))
_CHECK_TYPES = (ValueError, LookupError, TypeError, ImportError, NotImplementedError)
_FILE_TYPES = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_FRAME = re.compile(r'^  File "(.+)", line \d+, in .*\n(?:    (.*)\n)?', re.MULTILINE)


class MMPTError(Exception):
    """An error whose message is one sentence for the user.

    Attributes:
        exit_code (int): what a command exits with.
        on_all_ranks (bool): whether every process of a run raises it, so that only the first one needs to print it.
    """

    exit_code = 2
    on_all_ranks = False


class ConfigError(MMPTError, ValueError):
    """A config or an option that cannot be run."""

    on_all_ranks = True


class CheckpointError(MMPTError, RuntimeError):
    """A checkpoint that cannot be read, written or trusted."""

    on_all_ranks = True


class NonFiniteLossError(MMPTError, ArithmeticError):
    """A loss or a gradient that is NaN or infinite."""

    on_all_ranks = True


class TrainingInterrupted(MMPTError):
    """A run that was stopped from outside, after it had saved its state."""

    exit_code = 130
    on_all_ranks = True


def explain(error: BaseException) -> str | None:
    """One sentence for an error that the user can act on; None for anything that looks like a bug.

    Args:
        error (BaseException): what was raised, possibly in a worker of a data loader.

    Returns:
        str | None: the sentence, without line breaks.
    """
    message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if 'Original Traceback (most recent call last):' in message:
        return _explain_worker(message)
    if isinstance(error, MMPTError):
        return _one_line(message)
    if isinstance(error, OSError) and (isinstance(error, _FILE_TYPES) or error.filename):
        return _one_line(f'{error.strerror}: {error.filename}' if error.filename else str(error))
    if not isinstance(error, _CHECK_TYPES):
        return None
    if _raised_by_a_check(error.__traceback__):
        return _one_line(message)
    if isinstance(error, TypeError) and _called_from_config(error.__traceback__):
        return _one_line(f'The config does not fit what it builds: {message}.')
    return None


def run(main: Callable[[], None]) -> int:
    """Run a command and turn the errors a user can act on into one sentence; ``--traceback`` shows everything.

    Args:
        main (Callable[[], None]): the command.

    Returns:
        int: the exit code.
    """
    try:
        main()
    except KeyboardInterrupt:
        _print('Stopped at once; nothing was saved since the last checkpoint.')
        return TrainingInterrupted.exit_code
    except Exception as error:
        sentence = explain(error)
        if sentence is None or '--traceback' in sys.argv:
            raise
        if not (getattr(error, 'on_all_ranks', False) and _rank() > 0):
            _print(sentence)
        return getattr(error, 'exit_code', MMPTError.exit_code)
    return 0


def _rank() -> int:
    return int(os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')))


def _print(sentence: str) -> None:
    where = f'[rank {_rank()}] ' if _rank() > 0 else ''
    print(f'mmpt: {where}{sentence}', file=sys.stderr, flush=True)


def _one_line(text: str) -> str:
    return ' '.join(text.split())


def _is_check(filename: str, line: str) -> bool:
    return line.strip().startswith('raise') and any(place in filename for place in _CHECKED_PLACES)


def _raised_by_a_check(tb: TracebackType | None) -> bool:
    """Whether the innermost frame is a ``raise`` statement in a place that checks input.

    A missing key or a wrong call that nobody foresaw ends in some other statement and keeps its traceback.
    """
    frames = traceback.extract_tb(tb)
    return bool(frames) and _is_check(
        frames[-1].filename, linecache.getline(frames[-1].filename, frames[-1].lineno or 0)
    )


def _called_from_config(tb: TracebackType | None) -> bool:
    """Whether a call with the arguments of a config failed before its first statement."""
    frames = traceback.extract_tb(tb)
    return bool(frames) and frames[-1].filename.endswith(os.path.join('registry', 'build_functions.py'))


def _explain_worker(message: str) -> str | None:
    """The same for an error of a data loader's worker, which arrives as the text of its traceback."""
    frames = list(_FRAME.finditer(message))
    name, _, said = message[frames[-1].end() :].lstrip(' ^~\n').partition(': ') if frames else ('', '', '')
    if name.startswith('mmpt.'):
        return _one_line(said)
    known = {t.__name__ for t in (*_CHECK_TYPES, *_FILE_TYPES, KeyError)}
    if name not in known or not _is_check(frames[-1].group(1), frames[-1].group(2) or ''):
        return None
    said = said.strip()
    # A KeyError shows its message as it would be typed, in quotes.
    return _one_line(said[1:-1] if name == 'KeyError' and said[:1] == said[-1:] else said)
