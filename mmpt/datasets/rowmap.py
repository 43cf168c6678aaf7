"""Releases that keep all their samples in one file: turned, once, into arrays that every process maps into memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ['RowMap', 'read_h5_rows']

_ABOUT = 'about.json'
_FORMAT = 1


class RowMap:
    """The samples of one file, each readable on its own.

    A pickle can only be read as a whole, and a compressed h5 file nearly so: a block of it holds a piece of hundreds of
    rows, and reading one row unpacks every block that the row crosses. So the file is read once, and its arrays are
    laid beside it as ``<file>.mapped/<key>.npy``.

    Later openings read the labels and nothing else; all processes share one copy of the pages they touch, and pickling
    an object of this class (as spawned workers do) copies no data. The arrays are made again when the size or the time
    of the file changes. Of several processes that open it at once, one makes them and the others wait.

    Args:
        source (Path): the file.
        read (Callable): file -> arrays by key, all with one row per sample (or lists of equal arrays), 'label' (n,) of
            integers among them. Floats are kept as float32, integers as they are.
        cache_dir (str | None): a folder for the arrays in place of the file's own.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: what ``read`` raises; the arrays cannot be written.
    """

    def __init__(
        self,
        source: Path,
        read: Callable[[Path], Mapping[str, Sequence[np.ndarray]]],
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.source = Path(source)
        self.folder = _folder_of(self.source, cache_dir)
        stat = self.source.stat()
        stamp = {'format': _FORMAT, 'file': self.source.name, 'size': stat.st_size, 'mtime_ns': stat.st_mtime_ns}
        if not _is_current(self.folder, stamp):
            self._make(read, stamp)
        self._arrays: dict[str, np.ndarray] = {}
        self.keys = tuple(json.loads((self.folder / _ABOUT).read_text(encoding='utf-8'))['keys'])
        #: (n,) int64.
        self.labels = self._open('label').astype(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, key: str, index: int) -> np.ndarray:
        """A sample's array; belongs to the caller.

        Raises:
            ValueError: a number is not finite; the arrays were damaged.
        """
        row = np.array(self._open(key)[index])
        if row.dtype.kind == 'f' and not np.isfinite(row).all():
            bad = int((~np.isfinite(row)).any(axis=-1).sum())
            raise ValueError(
                f'{self.source}, row {index} of {key!r}: expected finite numbers, got NaN or infinity in {bad} of '
                f"{len(row)} points; download the file again, or set on_bad_sample='skip'."
            )
        return row

    def _open(self, key: str) -> np.ndarray:
        if key not in self._arrays:
            path = self.folder / f'{key}.npy'
            try:
                self._arrays[key] = np.load(path, mmap_mode='r', allow_pickle=False)
            except (OSError, ValueError) as error:
                raise ValueError(
                    f'{path} cannot be read ({error}); delete the folder, it is made again from {self.source}.'
                ) from error
        return self._arrays[key]

    def __getstate__(self) -> dict[str, Any]:
        # A memory map would be pickled with its contents; the other process opens its own.
        return {**self.__dict__, '_arrays': {}}

    def _make(self, read: Callable[[Path], Mapping[str, Sequence[np.ndarray]]], stamp: dict[str, Any]) -> None:
        from filelock import FileLock

        lock = FileLock(f'{self.folder}.lock')
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            raise ValueError(self._no_room(error)) from error
        try:
            if not _is_current(self.folder, stamp):
                print(f'{self.source}: laying its rows into {self.folder}, once', file=sys.stderr, flush=True)
                self._write(read(self.source), stamp)
        finally:
            lock.release()

    def _write(self, arrays: Mapping[str, Sequence[np.ndarray]], stamp: dict[str, Any]) -> None:
        partial = self.folder.with_name(self.folder.name + '.partial')
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for key, rows in arrays.items():
                _write_rows(partial / f'{key}.npy', rows)
            (partial / _ABOUT).write_text(json.dumps({**stamp, 'keys': list(arrays)}), encoding='utf-8')
            shutil.rmtree(self.folder, ignore_errors=True)
            os.rename(partial, self.folder)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise ValueError(self._no_room(error)) from error

    def _no_room(self, error: OSError) -> str:
        size = self.source.stat().st_size / 2**20
        return (
            f'{self.folder.parent} cannot take the rows of {self.source.name} ({error}); set `cache_dir` of the data '
            f'set to a folder that can be written and has room for at least {size:.0f} MB.'
        )


def _folder_of(source: Path, cache_dir: str | os.PathLike[str] | None) -> Path:
    name = f'{source.name}.mapped'
    if cache_dir is None:
        return source.with_name(name)
    # Files of one name lie in several folders of a release.
    place = hashlib.blake2b(os.fsencode(source.parent.resolve()), digest_size=4).hexdigest()
    return Path(cache_dir) / f'{source.parent.name}-{place}' / name


def _is_current(folder: Path, stamp: dict[str, Any]) -> bool:
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and 'keys' in about and {key: about.get(key) for key in stamp} == stamp


def _write_rows(path: Path, rows: Sequence[np.ndarray]) -> None:
    """Write row by row: a pickle's clouds lie in memory already, and one array of them all would be there twice."""
    first = np.asarray(rows[0])
    dtype = np.dtype(np.float32) if first.dtype.kind == 'f' else first.dtype.newbyteorder('=')
    header = {'descr': dtype.str, 'fortran_order': False, 'shape': (len(rows), *first.shape)}
    with open(path, 'wb') as file:
        np.lib.format.write_array_header_1_0(file, header)
        for row in rows:
            file.write(np.asarray(row, dtype).tobytes())
        file.flush()
        os.fsync(file.fileno())


def read_h5_rows(
    path: Path, shapes: Mapping[str, tuple[int | None, ...]], optional: Mapping[str, tuple[int | None, ...]]
) -> dict[str, np.ndarray]:
    """The arrays of an h5 file with one row per sample, for :class:`RowMap`.

    Args:
        path (Path): the file.
        shapes (Mapping[str, tuple]): keys that must be there, 'data' and 'label' (n,) or (n, 1) among them, and their
            shapes (None for any number).
        optional (Mapping[str, tuple]): keys that are read where the file has them.

    Returns:
        dict[str, ndarray]: ``label`` as (n,), the others as stored.

    Raises:
        ValueError: the file is cut off or no h5 file, a key is missing or has another shape, the numbers of rows
            differ, or there are none; names the file.
    """
    import h5py

    from .reading import read_h5

    arrays = read_h5(path, dict(shapes))
    with h5py.File(path, 'r') as file:
        present = {key: shape for key, shape in optional.items() if key in file}
    if present:
        arrays.update(read_h5(path, present))
    if arrays['label'].dtype.kind not in 'iu':
        raise ValueError(
            f"{path}: expected integers in 'label', got {arrays['label'].dtype}; this is not the release, or it is "
            'damaged: download the file again.'
        )
    arrays['label'] = arrays['label'].reshape(-1)
    counts = {key: len(array) for key, array in arrays.items()}
    if len(set(counts.values())) > 1 or not counts['data']:
        said = ', '.join(f'{count} of {key}' for key, count in counts.items())
        raise ValueError(
            f'{path}: expected as many rows in every array and at least one, got {said}; download it again.'
        )
    return arrays
