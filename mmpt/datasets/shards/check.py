"""Finding every damaged place of a pack."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .format import INDEX_FILE, ROW, Row, name_record, sample_id_of, wrong_with
from .reader import ShardReader

__all__ = ['Problem', 'verify']

_CHUNK = 16 << 20


class Problem(NamedTuple):
    """Something wrong with a pack; ``str()`` of it is one line for people.

    Attributes:
        file (str): the file concerned, or the folder.
        record (int | None): number of the shape in the pack; None where the file as a whole is meant.
        sample_id (str | None): of that shape; None where it cannot be read.
        what (str): what is wrong.
    """

    file: str
    record: int | None
    sample_id: str | None
    what: str

    def __str__(self) -> str:
        if self.record is None:
            return self.what
        return f'{name_record(Path(self.file), self.record, self.sample_id)}: {self.what}'


def verify(
    folder: str | os.PathLike[str], full: bool = True, progress: Callable[[int, int], None] | None = None
) -> list[Problem]:
    """Look for damage in one split of a pack.

    Without ``full`` this is what opening checks: pack.json, that the pack is finished, that every file is there with
    its size. With it, every file is read: the sha256 of the index and of each shard, and where one differs, the row,
    the crc32 and the content of each of its records, so that all damaged shapes are named and not only the first.

    Args:
        folder (str | Path): the folder of the split, such as ``data/packed/shapenet/train``.
        full (bool): read everything.
        progress (Callable | None): called with the bytes read so far and the bytes of all files.

    Returns:
        list[Problem]: empty where nothing is wrong. Damage is listed, never raised.
    """
    folder = Path(folder)
    try:
        reader = ShardReader(folder)
    except (FileNotFoundError, ValueError) as error:
        return [Problem(str(folder), None, None, str(error))]
    if not full:
        return []
    files = [reader.pack['index'], *reader.pack['shards']]
    total, done = sum(file['bytes'] for file in files), 0
    differing = []
    for number, file in enumerate(files, start=-1):
        digest = hashlib.sha256()
        with open(folder / file['name'], 'rb') as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
        if digest.hexdigest() != file['sha256']:
            differing.append(number)
    return _records(reader, differing) if differing else []


def _records(reader: ShardReader, differing: list[int]) -> list[Problem]:
    """The damaged records of the shards whose digests differ (-1 is the index, which concerns all of them)."""
    folder, shards = reader.folder, reader.pack['shards']
    problems: list[Problem] = []
    named = set()
    index = (folder / INDEX_FILE).read_bytes()
    for k in range(reader.num_shapes()):
        row = Row.unpack(index, k * ROW)
        if row is None or row.shard >= len(shards):
            problems.append(Problem(str(folder / INDEX_FILE), k, None, 'its row of the index is damaged'))
            named.add(-1)
        elif row.shard in differing or -1 in differing:
            what, sample_id = _record(folder / shards[row.shard]['name'], row)
            if what is not None:
                problems.append(Problem(str(folder / shards[row.shard]['name']), k, sample_id, what))
                named.add(row.shard)
    for number in differing:
        if number not in named:
            path = folder / (INDEX_FILE if number < 0 else shards[number]['name'])
            what = f'{path} is not the file that was written: its sha256 is not the one in pack.json'
            problems.append(Problem(str(path), None, None, what))
    return problems


def _record(path: Path, row: Row) -> tuple[str | None, str | None]:
    """What is wrong with a record, and its sample id."""
    with open(path, 'rb') as file:
        file.seek(row.offset)
        record = memoryview(file.read(row.length))
    return wrong_with(record, row.crc32), sample_id_of(record)
