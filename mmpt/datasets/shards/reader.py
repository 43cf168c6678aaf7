"""Reading packed shapes, one at a time, from memory-mapped files."""

from __future__ import annotations

import mmap
import os
import shlex
from pathlib import Path
from typing import Any

from .format import INDEX_FILE, ROW, Row, decode_record, head_crc32, name_record, read_pack, sample_id_of

__all__ = ['ShardReader']

# Files mapped at once: a map holds a file descriptor, of which a process may often have no more than 1,024.
_MAX_MAPS = 128
# What has been read is taken off this process's account after so many bytes; it stays in the page cache of the system.
_BUDGET = 64 << 20
# What one access may map at least: the kernel maps the pages around the one that was asked for as well.
_AROUND = 64 << 10


class ShardReader:
    """One split of a data set as tools/dataset_converters/pack.py wrote it.

    Opening reads pack.json and the sizes of the files, whatever the number of shapes. A shard is mapped when a shape of
    it is asked for, and checksums are compared each time a record, or a picture of it, is read. Copies in other
    processes, forked or pickled, map the files on their own.

    Args:
        folder (str | Path): the folder of the split.
        expect (dict | None): what pack.json must say, such as ``{'dataset': 'ShapeNet', 'variant': 'ShapeNet-55'}``.

    Raises:
        FileNotFoundError: there is no pack, or one of its files is missing.
        ValueError: the pack is unfinished, cut, of another format version or of other data than expected.
    """

    def __init__(self, folder: str | os.PathLike[str], expect: dict[str, Any] | None = None) -> None:
        self.folder, self.expect = Path(folder), expect
        self.pack = read_pack(self.folder)
        _check_finished(self.folder, self.pack)
        _check_expected(self.folder, self.pack, expect or {})
        _check_sizes(self.folder, self.pack)
        self._maps: dict[str, mmap.mmap] = {}
        self._touched = 0

    @property
    def metainfo(self) -> dict[str, Any]:
        """What the data set that was packed says of itself: ``name``, ``variant``, ``up_axis``, ``classes``, ..."""
        return dict(self.pack['metainfo'])

    def num_shapes(self) -> int:
        """How many shapes there are."""
        return self.pack['num_shapes']

    def label(self, index: int) -> int | None:
        """The class of shape ``index``, from the index alone."""
        return self.row(index).label

    def load_info(self, index: int) -> dict[str, Any]:
        """What the class gave for shape ``index`` when its files had been read.

        Returns:
            dict: key -> value; the arrays belong to the caller. A list of bytes (pictures) is read one by one, when
            they are asked for; see :class:`~mmpt.datasets.shards.format.Files`.

        Raises:
            IndexError: there is no such shape.
            ValueError: the record is damaged; names shard, record and sample, and says what to do.
        """
        row = self.row(index)
        name = self.pack['shards'][row.shard]['name']
        try:
            shard = self._map(name)
        except ValueError as error:  # There is no map of an empty file.
            raise self._damaged(name, index, None, 'the file is empty') from error
        record = memoryview(shard)[row.offset : row.offset + row.length]
        self._account(row.length)
        # A file cut after it was mapped would end this process at the first access behind its new end.
        if shard.size() < row.offset + row.length or len(record) < row.length:
            raise self._damaged(name, index, None, 'the file has been cut since it was opened')

        def damaged(problem: str) -> ValueError:
            return self._damaged(name, index, sample_id_of(record), problem)

        if head_crc32(record) != row.crc32:
            raise damaged('its checksum is not the one it was written with')
        return decode_record(record, damaged)

    def row(self, index: int) -> Row:
        """The row of the index that says where shape ``index`` is.

        Raises:
            IndexError: there is no such shape.
            ValueError: the row is damaged.
        """
        if not 0 <= index < self.num_shapes():
            raise IndexError(f'shape {index} of {self.folder}, which has {self.num_shapes()}')
        rows = self._map(INDEX_FILE)
        self._account(ROW)
        row = Row.unpack(rows, index * ROW) if rows.size() >= (index + 1) * ROW else None
        if row is None or row.shard >= len(self.pack['shards']):
            raise self._damaged(INDEX_FILE, index, None, 'the row of the index that says where it is is damaged')
        return row

    def _damaged(self, name: str, index: int, sample_id: str | None, problem: str) -> ValueError:
        return ValueError(
            f'{name_record(self.folder / name, index, sample_id)} is damaged: {problem}; tools/verify_dataset.py lists '
            f'all damaged records, then copy {name} again or pack again: delete {self.folder} and run '
            f'`{shlex.join(self.pack["command"])}`.'
        )

    def _map(self, name: str) -> mmap.mmap:
        mapped = self._maps.get(name)
        if mapped is None:
            if len(self._maps) >= _MAX_MAPS:
                # Unmapped when nobody reads from it any more; the index, which is always wanted, comes right back.
                self._maps.pop(next(iter(self._maps)), None)
            with open(self.folder / name, 'rb') as file:
                mapped = self._maps[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return mapped

    def _account(self, size: int) -> None:
        """Keep what counts as this process's memory from growing with what it has read."""
        self._touched += max(size, _AROUND)
        if self._touched > _BUDGET and hasattr(mmap, 'MADV_DONTNEED'):
            self._touched = 0
            for mapped in tuple(self._maps.values()):
                mapped.madvise(mmap.MADV_DONTNEED)

    def __getstate__(self) -> dict[str, Any]:
        return {'folder': self.folder, 'expect': self.expect}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)


def _check_finished(folder: Path, pack: dict[str, Any]) -> None:
    if not pack['complete']:
        raise ValueError(
            f'{folder} is not packed to its end; run `{shlex.join(pack["command"])}` again, which goes on where it '
            'stopped.'
        )


def _check_expected(folder: Path, pack: dict[str, Any], expect: dict[str, Any]) -> None:
    for key, wanted in expect.items():
        if pack.get(key) != wanted:
            raise ValueError(
                f'{folder} holds packed data with {key} {pack.get(key)!r}, expected {wanted!r}; correct `data_root` or '
                f'the {key} in the config.'
            )


def _check_sizes(folder: Path, pack: dict[str, Any]) -> None:
    with os.scandir(folder) as entries:
        found = {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    for file in (pack['index'], *pack['shards']):
        name, size = file['name'], file['bytes']
        if name not in found:
            raise FileNotFoundError(
                f'{folder / name} does not exist, but {folder / "pack.json"} names it; copy the folder again, or '
                f'delete it and run `{shlex.join(pack["command"])}`.'
            )
        if found[name] != size:
            raise ValueError(
                f'{folder / name} has {found[name]} bytes, but {folder / "pack.json"} says {size}; copy the folder '
                f'again, or delete it and run `{shlex.join(pack["command"])}`.'
            )
    if pack['index']['bytes'] != pack['num_shapes'] * ROW:
        raise ValueError(
            f'{folder / INDEX_FILE} has {pack["index"]["bytes"]} bytes, expected {pack["num_shapes"]} rows of {ROW}; '
            'copy or pack the data again.'
        )
