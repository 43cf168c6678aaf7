"""Features that are computed once: by key, in memory or on disk."""

from __future__ import annotations

import io
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmpt.utils.io import atomic_write

__all__ = ['FeatureCache']

# A file is written when so many rows are new, or a quarter of what is stored: files stay few however many rows there
# are. Lookups in a row without a miss after which the rest is written, too.
_LEAST, _QUIET = 512, 20


class FeatureCache:
    """Rows of D float32 by keys of 128 bits.

    With a folder, rows are kept in files that are written once, as a whole, and mapped into memory. Several processes
    may share the folder: what one misses, it looks for among the files that the others have written meanwhile. What is
    not written yet when a process is killed is computed again.

    Args:
        dim (int): D.
        folder (str | Path | None): where the files are; None keeps the rows in memory.
        limit (int): rows that are kept; what comes after is computed at every lookup.
    """

    def __init__(self, dim: int, folder: str | Path | None = None, limit: int = 1_000_000) -> None:
        self.dim, self.limit = dim, limit
        self.folder = None if folder is None else Path(folder)
        self._record = np.dtype([('key', '<u8', (2,)), ('row', '<f4', (dim,))])
        self._files: dict[str, np.ndarray] = {}
        self._keys = np.zeros((0, 2), np.uint64)
        self._places = np.zeros((0, 2), np.int64)
        self._fresh: dict[bytes, np.ndarray] = {}
        self._quiet, self._full = 0, False
        if self.folder is not None:
            self._map_new()
            weakref.finalize(self, _write, self.folder, self._record, self._fresh)

    def __len__(self) -> int:
        """Rows that are kept, of all processes as far as known."""
        return len(self._keys) + len(self._fresh)

    def rows(self, keys: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Look up, and compute what is missing.

        Args:
            keys (np.ndarray): (R, 2) uint64.
            compute (Callable): (M,) int64, which of the R -> their rows (M, D) float32.

        Returns:
            np.ndarray: (R, D) float32.
        """
        rows = np.empty((len(keys), self.dim), np.float32)
        missing = self._read(keys, np.arange(len(keys)), rows)
        if len(missing) and self._map_new():
            missing = self._read(keys, missing, rows)
        if not len(missing):
            self._quiet += 1
            if self._quiet >= _QUIET:
                self.flush()
            return rows
        self._quiet = 0
        _, first, again = np.unique(keys[missing], axis=0, return_index=True, return_inverse=True)
        fresh = compute(missing[first])
        rows[missing] = fresh[again.reshape(-1)]
        self._keep(keys[missing[first]], fresh)
        return rows

    def flush(self) -> None:
        """Write what is new; nothing to do without a folder."""
        if self.folder is not None and self._fresh:
            _write(self.folder, self._record, self._fresh)
            self._map_new()

    def _read(self, keys: np.ndarray, wanted: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Fill the rows that are kept; returns which are not."""
        if len(self._keys):
            place = np.searchsorted(self._keys[:, 0], keys[wanted, 0]).clip(max=len(self._keys) - 1)
            found = (self._keys[place] == keys[wanted]).all(1)
            files = list(self._files.values())
            for file in np.unique(self._places[place[found], 0]):
                here = found & (self._places[place, 0] == file)
                rows[wanted[here]] = files[file]['row'][self._places[place[here], 1]]
            wanted = wanted[~found]
        left = []
        for index in wanted:
            row = self._fresh.get(keys[index].tobytes())
            if row is None:
                left.append(index)
            else:
                rows[index] = row
        return np.array(left, np.int64)

    def _keep(self, keys: np.ndarray, rows: np.ndarray) -> None:
        if len(self) + len(rows) > self.limit:
            if not self._full:
                print_log(
                    f'The cache of teacher features holds {len(self)} rows of at most {self.limit} and takes no more. '
                    'If pictures are changed at random (ColorJitter, RandomFlip, crops), no two are alike and a cache '
                    'does not help: leave cache_dir out, or the changes.',
                    logger='current',
                    level=30,
                )
            self._full = True
            return
        self._fresh.update((key.tobytes(), row.copy()) for key, row in zip(keys, rows))
        if len(self._fresh) >= max(_LEAST, len(self._keys) // 4):
            self.flush()

    def _map_new(self) -> bool:
        """Map the files that are new in the folder, and forget rows of ours that are among them."""
        if self.folder is None or not self.folder.is_dir():
            return False
        names = sorted(path.name for path in self.folder.glob('[!.]*.npy') if path.name not in self._files)
        for name in names:
            self._files[name] = self._map(self.folder / name)
            if self._fresh:
                for key in self._files[name]['key']:
                    self._fresh.pop(key.tobytes(), None)
        if names:
            parts = list(self._files.values())
            keys = np.concatenate([part['key'] for part in parts])
            places = np.concatenate([np.stack([np.full(len(p), i), np.arange(len(p))], 1) for i, p in enumerate(parts)])
            order = np.argsort(keys[:, 0], kind='stable')
            self._keys, self._places = keys[order], places[order]
        return bool(names)

    def _map(self, path: Path) -> np.ndarray:
        try:
            records = np.load(path, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ValueError(f'{path} is no file of cached features ({error}); remove it.') from error
        if records.dtype != self._record or records.ndim != 1:
            raise ValueError(
                f'{path}: expected cached features of {self.dim} numbers, got {records.dtype} of shape '
                f'{records.shape}; remove the file.'
            )
        return records


def _write(folder: Path, record: np.dtype, fresh: dict[bytes, np.ndarray]) -> None:
    """Write rows to a file of their own, and forget them; also called when a process ends."""
    if not fresh:
        return
    records = np.empty(len(fresh), record)
    records['key'] = np.frombuffer(b''.join(fresh), '<u8').reshape(-1, 2)
    records['row'] = list(fresh.values())
    buffer = io.BytesIO()
    np.save(buffer, records, allow_pickle=False)
    atomic_write(buffer.getvalue(), folder / f'{uuid.uuid4().hex}.npy')
    fresh.clear()
