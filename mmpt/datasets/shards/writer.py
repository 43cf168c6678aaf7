"""Writing a pack so that a crash at any moment costs what was read in the last seconds, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shlex
import time
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from mmpt import __version__
from mmpt.utils.io import atomic_write

from .format import FORMAT, INDEX_FILE, PACK_FILE, ROW, VERSION, Row, head_crc32, index_dtype, read_pack, wrong_with

__all__ = ['ShardWriter']

_SKIPPED_FILE = 'skipped.jsonl'
# Bytes and seconds after which records are written for good.
_COMMIT_BYTES, _COMMIT_SECONDS = 64 << 20, 10.0
# The workers of a process that was killed notice it after five seconds, and hold its lock until then.
_LOCK_SECONDS = 12.0


class ShardWriter:
    """Write one split, in order; opened on what an earlier run left, it goes on behind that.

    Records go to the shard first and reach the disk before the rows of the index that name them, and pack.json says
    ``complete`` last of all. So what the index names is whole, whenever the process or the machine stops, and
    :attr:`next_source` says where to go on. The files do not depend on how often that happened.

    Use it as a context: it holds a lock against a second process that writes the same folder.

    Args:
        folder (str | Path): of the split; made where it is missing.
        metainfo (dict): what the packed class is to report, with ``name``, ``variant`` and ``split``; plain values.
        total (int): shapes of the data set that is packed.
        command (list[str]): what packs it, for messages.
        made_from (dict): plain values that identify the source; an unfinished pack of another one is refused.
        shard_bytes (int): size at which a shard is full; a record larger than that gets one of its own.

    Attributes:
        finished (bool): the folder holds this very pack, complete.
        next_source (int): the first shape that is not in the pack yet.
        num_records (int): records in it.
        num_bytes (int): their size.

    Raises:
        ValueError: the folder holds something else, another process writes it, or ``metainfo`` is not plain.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        metainfo: dict[str, Any],
        total: int,
        command: list[str],
        made_from: dict[str, Any],
        shard_bytes: int = 256 << 20,
    ) -> None:
        self.folder, self.shard_bytes = Path(folder), shard_bytes
        facts = {
            'dataset': metainfo['name'],
            'variant': metainfo.get('variant'),
            'split': metainfo.get('split'),
            'total': total,
            'shard_bytes': shard_bytes,
            'made_from': made_from,
            'metainfo': metainfo,
        }
        self._facts = _plain(facts, self.folder)
        self._command = command
        self.finished = False
        self.next_source = self.num_records = self.num_bytes = 0
        self._shards: list[dict[str, Any]] = []
        self._skipped: list[dict[str, Any]] = []
        self._pending: list[tuple[bytes, bytes]] = []  # rows and their records
        self._size = 0  # of the shard that is being written, with what is pending
        self._written = self._rows_written = 0  # bytes of it and rows of the index that are on the disk
        self._digest = hashlib.sha256()
        self._shard: FileIO | None = None
        self._index: FileIO | None = None
        self._last_commit = time.monotonic()

    def __enter__(self) -> ShardWriter:
        from filelock import FileLock, Timeout

        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder.with_name(f'.{self.folder.name}.lock'))
        try:
            self._lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise ValueError(f'{self.folder} is being packed by another process; wait for its end.') from error
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # What was read before Ctrl-C or a bad sample is kept; on a full disk there is no room for it.
            if not self.finished and not isinstance(error, OSError):
                self.commit()
        finally:
            for file in (self._shard, self._index):
                if file is not None:
                    file.close()
            self._lock.release()

    def append(self, source: int, record: bytes, label: int | None) -> None:
        """Add the record of a shape.

        Args:
            source (int): the shape's number in the data set; larger than all before.
            record (bytes): see :func:`~mmpt.datasets.shards.encode_record`.
            label (int | None): its class.

        Raises:
            OSError: the disk is full; what is written stays.
        """
        if self._size and self._size + len(record) > self.shard_bytes:
            self._close_shard()
        row = Row(self._size, len(record), source, label, len(self._shards), head_crc32(record))
        self._pending.append((row.pack(), record))
        self._size += len(record)
        self.num_records += 1
        self.num_bytes += len(record)
        self.next_source = source + 1
        if self._size - self._written >= _COMMIT_BYTES or time.monotonic() - self._last_commit > _COMMIT_SECONDS:
            self.commit()

    def skip(self, source: int, reason: str) -> None:
        """Note a shape that is left out."""
        self._skipped.append({'source': source, 'reason': reason})
        self.next_source = source + 1
        line = json.dumps(self._skipped[-1], ensure_ascii=False) + '\n'
        with self._said(self.folder / _SKIPPED_FILE) as path, open(path, 'ab') as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    @property
    def skipped(self) -> list[dict[str, Any]]:
        """The shapes left out: ``source`` and ``reason`` of each."""
        return list(self._skipped)

    def commit(self) -> None:
        """Write what is pending, records first. Interrupted and called again, it starts over with the same."""
        self._last_commit = time.monotonic()
        if not self._pending:
            return
        records = [record for _, record in self._pending]
        path = self.folder / _shard_name(len(self._shards))
        assert self._index is not None
        with self._said(path):
            if self._shard is None:
                self._shard = FileIO(path, 'ab')
            _replace_end(self._shard, self._written, records)
            _replace_end(self._index, self._rows_written * ROW, [row for row, _ in self._pending])
        digest = self._digest.copy()
        for record in records:
            digest.update(record)
        self._digest, self._pending, self._written, self._rows_written = (
            digest,
            [],
            self._written + sum(map(len, records)),
            self._rows_written + len(records),
        )

    def finish(self) -> None:
        """Close the pack: from now on it can be read.

        Raises:
            ValueError: there is no record.
        """
        if self.finished:
            return
        if not self.num_records:
            raise ValueError(f'{self.folder}: no shape could be packed; correct the data set.')
        self._close_shard()
        index = (self.folder / INDEX_FILE).read_bytes()
        entry = {'name': INDEX_FILE, 'bytes': len(index), 'sha256': hashlib.sha256(index).hexdigest()}
        self._write_pack(index={**entry, 'row': [list(field) for field in index_dtype().descr]}, complete=True)
        (self.folder / _SKIPPED_FILE).unlink(missing_ok=True)
        self.finished = True

    def _close_shard(self) -> None:
        self.commit()
        if self._shard is not None:
            self._shard.close()
            self._shard = None
        if self._size:
            name = _shard_name(len(self._shards))
            self._shards.append({'name': name, 'bytes': self._size, 'sha256': self._digest.hexdigest()})
            self._size = self._written = 0
            self._digest = hashlib.sha256()
            self._write_pack()

    def _write_pack(self, index: dict[str, Any] | None = None, complete: bool = False) -> None:
        pack = {
            'format': FORMAT,
            'format_version': VERSION,
            'byte_order': 'little',
            'complete': complete,
            'num_shapes': self.num_records,
            **self._facts,
            'skipped': self._skipped,
            'command': self._command,
            'mmpt': __version__,
            'index': index,
            'shards': self._shards,
        }
        with self._said(self.folder / PACK_FILE) as path:
            atomic_write(json.dumps(pack, indent=1, ensure_ascii=False).encode(), path)

    @contextlib.contextmanager
    def _said(self, path: Path) -> Any:
        """Turn a full disk into one sentence."""
        try:
            yield path
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            text = f'The disk is full; {self._rows_written} shapes are packed and stay: make room and run '
            text += f'`{shlex.join(self._command)}` again, which goes on from there. It happened while writing'
            raise OSError(error.errno, text, str(path)) from error

    # ---- going on with what an earlier run left

    def _open(self) -> None:
        if (self.folder / PACK_FILE).exists():
            self._resume()
        elif self.folder.is_dir() and any(not name.startswith('.') for name in os.listdir(self.folder)):
            raise ValueError(f'{self.folder} holds files, but no {PACK_FILE}; name another folder to pack into.')
        else:
            self.folder.mkdir(exist_ok=True)
            self._write_pack()
        if not self.finished:
            self._index = FileIO(self.folder / INDEX_FILE, 'ab')

    def _resume(self) -> None:
        pack = read_pack(self.folder)
        for key, value in self._facts.items():
            if key != 'metainfo' and pack.get(key) != value:
                raise ValueError(
                    f'{self.folder} holds a pack with {key} {pack.get(key)!r}, and this one would have {value!r}; '
                    'delete the folder or name another one.'
                )
        if _lists(pack['metainfo']) != self._facts['metainfo']:
            raise ValueError(
                f'{self.folder} holds a pack of {pack["dataset"]} with other metainfo (classes, up axis, ...) than '
                'this one would have; delete the folder or name another one.'
            )
        self._command = pack['command']
        if pack['complete']:
            self.finished, self.num_records = True, pack['num_shapes']
            self.next_source, self._skipped = pack['total'], pack['skipped']
            self.num_bytes = sum(shard['bytes'] for shard in pack['shards'])
            (self.folder / _SKIPPED_FILE).unlink(missing_ok=True)
            return
        before, rows = self._whole_rows()
        self._take_over(before, rows, pack['shards'])
        self._keep_skipped()

    def _whole_rows(self) -> tuple[int, list[Row]]:
        """The rows of the last shard that has any whose record is in its file, and how many rows come before them."""
        path = self.folder / INDEX_FILE
        data = path.read_bytes() if path.exists() else b''
        before, rows, shard, size = 0, [], -1, 0
        for start in range(0, len(data) - ROW + 1, ROW):
            row = Row.unpack(data, start)
            if row is None:
                break
            if row.shard != shard:
                shard, file = row.shard, self.folder / _shard_name(row.shard)
                size = file.stat().st_size if file.exists() else 0
            if row.offset + row.length > size:
                break
            if rows and rows[-1].shard != shard:
                before, rows = before + len(rows), []
            rows.append(row)
        return before, rows

    def _take_over(self, before: int, rows: list[Row], known: list[dict[str, Any]]) -> None:
        """Count what is there, the last shard record by record, and cut off what lies behind it."""
        last = rows[-1].shard if rows else 0
        for number in range(last):
            name = _shard_name(number)
            if number < len(known):
                self._shards.append(known[number])
            else:
                data = (self.folder / name).read_bytes()
                self._shards.append({'name': name, 'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()})
        path = self.folder / _shard_name(last)
        content = memoryview(path.read_bytes() if rows else b'')
        for k, row in enumerate(rows):
            # After a power cut a file may have its length and not its content.
            if wrong_with(content[row.offset : row.offset + row.length], row.crc32):
                del rows[k:]
                break
            self._size = row.offset + row.length
        self._digest.update(content[: self._size])
        self._written, self._rows_written = self._size, before + len(rows)
        self.num_records = self._rows_written
        self.num_bytes = sum(shard['bytes'] for shard in self._shards) + self._size
        for shard in self.folder.glob('shard-*.bin'):
            if shard.name > path.name:
                shard.unlink()
        for file, size in ((path, self._size), (self.folder / INDEX_FILE, self._rows_written * ROW)):
            if file.exists():
                os.truncate(file, size)
        if self._rows_written:
            index = (self.folder / INDEX_FILE).read_bytes()
            self.next_source = Row.unpack(index, len(index) - ROW).source + 1

    def _keep_skipped(self) -> None:
        """Shapes that were left out behind the last record are tried again."""
        path = self.folder / _SKIPPED_FILE
        if not path.exists():
            return
        for line in path.read_text(encoding='utf-8').splitlines():
            with contextlib.suppress(ValueError):  # A line that was cut is of a shape that is tried again.
                entry = json.loads(line)
                if entry['source'] < self.next_source:
                    self._skipped.append(entry)
        kept = ''.join(json.dumps(entry, ensure_ascii=False) + '\n' for entry in self._skipped)
        atomic_write(kept.encode(), path)


def _shard_name(number: int) -> str:
    return f'shard-{number:05d}.bin'


def _replace_end(file: FileIO, start: int, parts: list[bytes]) -> None:
    """Make ``parts`` what a file holds from ``start`` on, to the disk; on an error, it ends at ``start``."""
    file.truncate(start)
    try:
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(start)
        raise


def _lists(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _plain(facts: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The facts as JSON gives them back; refuse what it would change."""

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, (tuple, list)):
            return len(one) == len(other) and all(map(same, one, other))
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        return type(one) is type(other) and one == other

    try:
        plain = _lists(facts)
    except TypeError as error:
        raise ValueError(f'{folder}: the metainfo of {facts["dataset"]} is not plain data ({error}).') from error
    for key, value in facts['metainfo'].items():
        if not same(value, plain['metainfo'].get(key)):
            raise ValueError(
                f'{folder}: {key!r} in the metainfo of {facts["dataset"]} is not plain data, expected text, numbers, '
                f'and tuples or dictionaries (with text as keys) of them, got {value!r}.'
            )
    return plain
