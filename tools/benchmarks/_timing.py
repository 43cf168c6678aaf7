"""What the benchmarks share: contestants in turn, load of others noticed, memory in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mmpt.utils.collect_env import collect_env
from mmpt.utils.io import atomic_write

__all__ = [
    'CLOCKS',
    'Turn',
    'add_timing_options',
    'allocator',
    'disturbed',
    'figures',
    'gained_mib',
    'in_own_process',
    'matmul_gflops',
    'peak_gib',
    'quiet_turns',
    'ratio',
    'status',
    'take_turns',
    'typical',
    'write_record',
]


def _own_seconds() -> float:
    """Processor time of this process and of its children that have ended, all their threads."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


CLOCKS: dict[str, Callable[[], float]] = {'wall': time.perf_counter, 'cpu': _own_seconds}
_TICK = os.sysconf('SC_CLK_TCK')
#: Turns that are tried for each one asked for, before a machine counts as never quiet.
_TRIES = 3
#: Quiet turns without which all turns are shown.
_FEWEST = 2


class Turn(NamedTuple):
    """One run of every contestant.

    Attributes:
        seconds (dict[str, float]): by contestant, on the chosen clock.
        others (float): processors that other processes kept busy, of the contestant that saw most of it.
    """

    seconds: dict[str, float]
    others: float


def add_timing_options(parser: argparse.ArgumentParser, rounds: int) -> None:
    """Add ``--rounds``, ``--threads``, ``--clock``, ``--max-others``, ``--json``."""
    parser.add_argument('--rounds', type=int, default=rounds, help='quiet turns to wait for, three times as many tried')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='of torch')
    parser.add_argument('--clock', choices=list(CLOCKS), default='wall', help='cpu: of the process, all its threads')
    parser.add_argument('--max-others', type=float, default=0.15, metavar='CPUS', help='above it a turn is discarded')
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the figures to this file')


def take_turns(runs: Mapping[str, Callable[[], object]], args: argparse.Namespace, least: float = 0.0) -> list[Turn]:
    """Run all contestants one after another, again and again; a first turn, which warms up, is not counted.

    Args:
        runs (Mapping[str, Callable]): contestants by name.
        args (Namespace): of :func:`add_timing_options`.
        least (float): seconds that a measurement lasts; what is shorter is repeated and divided.

    Returns:
        list[Turn]: until ``args.rounds`` of them are quiet, or three times as many are tried.
    """
    clock = CLOCKS[args.clock]
    for run in runs.values():
        run()
    turns: list[Turn] = []
    while len(turns) < _TRIES * args.rounds and sum(turn.others <= args.max_others for turn in turns) < args.rounds:
        measured = {name: _measure(run, clock, least) for name, run in runs.items()}
        turns.append(Turn({name: row[0] for name, row in measured.items()}, max(row[1] for row in measured.values())))
    return turns


def _measure(run: Callable[[], object], clock: Callable[[], float], least: float) -> tuple[float, float]:
    """Seconds of one run, and processors busy with something else meanwhile."""
    wall, own, busy, begin, count = time.perf_counter(), _own_seconds(), _busy_seconds(), clock(), 0
    while count == 0 or time.perf_counter() - wall < least:
        run()
        count += 1
    seconds, wall = (clock() - begin) / count, time.perf_counter() - wall
    others = _busy_seconds() - busy - (_own_seconds() - own)
    return seconds, max(0.0, others / wall)


def _busy_seconds() -> float:
    """What all processors have worked for all processes since the start; 0 where the system does not tell."""
    path = Path('/proc/stat')
    if not path.is_file():
        return 0.0
    user, nice, system, _idle, _waiting, *rest = map(int, path.read_text().split('\n', 1)[0].split()[1:])
    # Behind these three stand guests, which `user` and `nice` count already.
    return (user + nice + system + sum(rest[:3])) / _TICK


def disturbed(turns: list[Turn], most_others: float) -> bool:
    """Whether next to no turn was quiet, so that the figures are not to be quoted."""
    return sum(turn.others <= most_others for turn in turns) < min(_FEWEST, len(turns))


def quiet_turns(turns: list[Turn], most_others: float) -> list[Turn]:
    """The turns that count: all of them where :func:`disturbed`."""
    if disturbed(turns, most_others):
        return turns
    return [turn for turn in turns if turn.others <= most_others]


def typical(values: list[float]) -> list[float]:
    """Median, smallest, largest."""
    return [statistics.median(values), min(values), max(values)]


def ratio(seconds: Mapping[str, list[float]], above: str, below: str) -> list[float]:
    """:func:`typical` of one contestant's seconds over another's, turn by turn."""
    return typical([a / b for a, b in zip(seconds[above], seconds[below], strict=True)])


def figures(turns: list[Turn], args: argparse.Namespace, batch: int = 1) -> dict[str, Any]:
    """What turns say.

    Args:
        turns (list[Turn]): of :func:`take_turns`.
        args (Namespace): likewise.
        batch (int): samples of a run.

    Returns:
        dict: by contestant ``seconds`` of the turns that count, ``median_seconds``, ``samples_per_second``; ``others``,
        the processors busy elsewhere in each of these turns; ``discarded``, how many turns are not among them;
        ``disturbed``, whether next to none was quiet.
    """
    kept = quiet_turns(turns, args.max_others)
    seconds = {name: [turn.seconds[name] for turn in kept] for name in kept[0].seconds}
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        'seconds': seconds,
        'others': [turn.others for turn in kept],
        'median_seconds': median,
        'samples_per_second': {name: batch / value for name, value in median.items()},
        'discarded': len(turns) - len(kept),
        'disturbed': disturbed(turns, args.max_others),
    }


def write_record(args: argparse.Namespace, **found: Any) -> None:
    """Write what was found to ``args.json``, with the command, its settings and the machine; nothing without a path."""
    if args.json:
        settings = {key: getattr(args, key) for key in ('threads', 'clock', 'rounds', 'max_others')}
        about = {'command': args.command, 'settings': settings, 'allocator': allocator(), 'machine': collect_env()}
        atomic_write(json.dumps({**about, **found}, indent=1).encode(), args.json)


def matmul_gflops(clock: Callable[[], float], size: int = 2048, repeats: int = 5) -> float:
    """1e9 operations a second that the best of some large float32 products reaches, by torch's current threads."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    seconds = []
    for _ in range(repeats + 1):
        begin = clock()
        left @ right
        seconds.append(clock() - begin)
    return 2 * size**3 / min(seconds[1:]) / 1e9


def allocator() -> str:
    """Which setting of tools/_cpu_env.sh is on: glibc keeps freed memory in huge pages, or gives it back."""
    kept = os.environ.get('GLIBC_TUNABLES', '')
    if 'trim_threshold' in kept or 'mmap_threshold' in kept:
        return f'tuned ({kept})'
    return 'default (source tools/_cpu_env.sh for the other)'


def status(pid: int | str, name: str) -> int:
    """A value of /proc/<pid>/status, in kB (Linux)."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f'{name}:'))


def peak_gib() -> float:
    """GiB that this process has held at most (Linux)."""
    return status('self', 'VmHWM') / 2**20


def gained_mib(run: Callable[[], object]) -> float:
    """MiB that this process holds at most during one call, over what it held before (Linux)."""
    before = status('self', 'VmRSS')
    # What it held at most until now is no part of it.
    Path('/proc/self/clear_refs').write_text('5')
    run()
    return (status('self', 'VmHWM') - before) / 2**10


def in_own_process(measure: Callable[[], Any]) -> Any:
    """What ``measure`` returns, called in a fork, so that every measurement starts from the same memory.

    To be called before torch has started threads, which no fork takes along.

    Args:
        measure (Callable): returns what JSON can hold.

    Raises:
        RuntimeError: it failed; its traceback is on stderr.
    """
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(receive)
            with open(send, 'w') as file:
                json.dump(measure(), file)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(send)
    with open(receive) as file:
        text = file.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError('A measurement in a process of its own failed; its traceback is above.')
    return json.loads(text)
