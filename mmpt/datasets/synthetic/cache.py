"""Arrays that are computed once, by several processes, into files that all readers share."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ['Field', 'build_cache', 'open_cache']

# Samples that one process computes before it writes; what a kill costs at most, per process.
_CHUNK = 64
_DONE = 'done'

Make = Callable[[int], dict[str, np.ndarray]]


class Field(NamedTuple):
    """One array of a sample: its shape and its numpy dtype by name."""

    shape: tuple[int, ...]
    dtype: str


def open_cache(folder: Path, fields: dict[str, Field]) -> dict[str, np.ndarray]:
    """Map the arrays (n, ...) of a finished cache into memory, for reading."""
    return {name: np.load(folder / f'{name}.npy', mmap_mode='r', allow_pickle=False) for name in fields}


def build_cache(
    folder: Path,
    fields: dict[str, Field],
    length: int,
    make: Make,
    *,
    about: dict[str, Any],
    workers: int | None = None,
) -> None:
    """Make sure that ``folder`` holds one ``<field>.npy`` for every field, of ``length`` samples.

    The folder appears by a rename when everything is written, so it is complete or absent. Of several processes that
    ask for it at once, on one machine or on a shared file system with locks, one computes and the others wait. A run
    that was killed leaves ``<folder>.partial``; the next one goes on from its finished chunks.

    Args:
        folder (Path): named after everything that the arrays depend on.
        fields (dict[str, Field]): what ``make`` returns.
        length (int): number of samples.
        make (Callable): index -> the arrays of a sample; depends on nothing but the index.
        about (dict): written into ``about.json`` beside the arrays, for people.
        workers (int | None): processes; None for one per core this process may use, 1 for none but this one.

    Raises:
        OSError: the disk has not enough room.
        RuntimeError: a worker failed; says how.
    """
    if folder.is_dir():
        return
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f'{folder}.lock')
    try:
        lock.acquire(timeout=0.05)
    except Timeout:
        print(f'waiting for the process that generates {folder}', file=sys.stderr, flush=True)
        lock.acquire()
    try:
        if not folder.is_dir():
            partial = folder.with_name(folder.name + '.partial')
            _prepare(partial, fields, length, about)
            _generate(partial, fields, length, make, workers)
            os.rename(partial, folder)
            shutil.rmtree(folder / _DONE)
    finally:
        lock.release()


def _prepare(partial: Path, fields: dict[str, Field], length: int, about: dict[str, Any]) -> None:
    """Lay out empty arrays, or keep those of a killed run."""
    shapes = {name: ((length, *field.shape), np.dtype(field.dtype)) for name, field in fields.items()}
    try:
        found = {name: (array.shape, array.dtype) for name, array in open_cache(partial, fields).items()}
        if found == shapes and (partial / _DONE).is_dir():
            return
    except (OSError, ValueError):
        pass  # Nothing there yet, or killed while laying out.
    shutil.rmtree(partial, ignore_errors=True)
    needed = sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in shapes.values())
    free = shutil.disk_usage(partial.parent).free
    if needed > free:
        raise OSError(
            f'{partial.parent} has {free >> 20} MB left, but the generated data need {needed >> 20} MB; '
            'choose another cache_dir, a smaller size, or cache_dir=None to generate while training.'
        )
    partial.mkdir()
    for name, (shape, dtype) in shapes.items():
        np.lib.format.open_memmap(partial / f'{name}.npy', mode='w+', dtype=dtype, shape=shape).flush()
    (partial / 'about.json').write_text(json.dumps(about, indent=1), encoding='utf-8')
    (partial / _DONE).mkdir()


def _generate(partial: Path, fields: dict[str, Field], length: int, make: Make, workers: int | None) -> None:
    total = -(-length // _CHUNK)
    todo = sorted(set(range(total)) - {int(name) for name in os.listdir(partial / _DONE)})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    count = min(workers or cores, len(todo))
    progress = _Progress(partial, length, total, total - len(todo))
    if count <= 1:
        for chunk in todo:
            _fill(partial, fields, length, chunk, make)
            progress.show()
    else:
        _fan_out(partial, fields, length, make, [todo[first::count] for first in range(count)], progress)
    progress.close()


def _fan_out(
    partial: Path,
    fields: dict[str, Field],
    length: int,
    make: Make,
    shares: Sequence[Sequence[int]],
    progress: _Progress,
) -> None:
    # Forking starts at once, but not where a parent has threads that hold locks of a driver.
    safe_to_fork = sys.platform == 'linux' and not torch.cuda.is_initialized()
    context = multiprocessing.get_context('fork' if safe_to_fork else 'spawn')
    errors = context.SimpleQueue()
    processes = [
        context.Process(target=_worker, args=(os.getpid(), partial, fields, length, share, make, errors), daemon=True)
        for share in shares
    ]
    try:
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes):
            time.sleep(0.1)
            progress.show()
            if any(process.exitcode for process in processes):
                break
        codes = [process.exitcode for process in processes if process.exitcode]
        if codes:
            why = f'a worker ended with exit code {codes[0]}' if errors.empty() else errors.get()
            raise RuntimeError(f'generating {partial} stopped: {why}; what is finished is kept for the next start.')
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            if process.pid is not None:
                process.join()


def _worker(
    parent: int,
    partial: Path,
    fields: dict[str, Field],
    length: int,
    chunks: Sequence[int],
    make: Make,
    errors: SimpleQueue,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business; it ends its workers.
    torch.set_num_threads(1)  # Inherited pools of threads do not survive a fork.
    try:
        for chunk in chunks:
            if os.getppid() != parent:
                return  # The parent was killed: nobody waits for this any more, and its lock is free.
            _fill(partial, fields, length, chunk, make)
    except Exception as error:
        errors.put(str(error))
        raise SystemExit(1) from error


def _fill(partial: Path, fields: dict[str, Field], length: int, chunk: int, make: Make) -> None:
    """Compute one chunk, write it, and only then mark it as done."""
    first = chunk * _CHUNK
    rows = []
    for index in range(first, min(first + _CHUNK, length)):
        try:
            rows.append(make(index))
        except Exception as error:
            raise RuntimeError(f'sample {index} failed with {type(error).__name__}: {error}') from error
    for name, array in open_cache(partial, fields).items():
        block = np.stack([row[name] for row in rows]).astype(array.dtype)
        # Not through the memory map, where a full disk is a bus error instead of an OSError.
        with open(partial / f'{name}.npy', 'r+b') as file:
            file.seek(array.offset + first * array[0].nbytes)
            file.write(block.tobytes())
            file.flush()
            os.fsync(file.fileno())
    (partial / _DONE / str(chunk)).touch()


class _Progress:
    """Share done and time left on stderr: a line that is rewritten, or one every ten seconds where that is a file."""

    def __init__(self, partial: Path, length: int, total: int, before: int) -> None:
        self.partial, self.length, self.total, self.before = partial, length, total, before
        self.start = self.last = time.monotonic()
        self.interactive = sys.stderr.isatty()
        print(f'generating {length} shapes into {partial.parent / partial.stem}', file=sys.stderr, flush=True)

    def show(self) -> None:
        now = time.monotonic()
        if now - self.last < (0.5 if self.interactive else 10):
            return
        self.last = now
        done = len(os.listdir(self.partial / _DONE))
        left = (now - self.start) / max(done - self.before, 1) * (self.total - done)
        text = f'  {min(done * _CHUNK, self.length)} of {self.length} shapes, {left:.0f} s left'
        print(f'\r{text:<60}' if self.interactive else text, end='' if self.interactive else '\n', file=sys.stderr)
        sys.stderr.flush()

    def close(self) -> None:
        seconds = time.monotonic() - self.start
        print(f'{chr(13) if self.interactive else ""}  done in {seconds:.1f} s{" " * 40}'.rstrip(), file=sys.stderr)
