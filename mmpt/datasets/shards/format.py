"""What the bytes of a pack mean: records, rows of the index, pack.json. All little-endian, and nothing is pickled.

A record is one shape::

    4 bytes   b'mmpt'
    uint32    length of the header
    uint32    crc32 of the header
    uint32    length of the head, in units of 64 bytes: all but the files, and what the index has the crc32 of
    header    JSON, UTF-8: key -> value
    padding   to a multiple of 64, then each array at a multiple of 64
    files     encoded pictures and the like, each at a multiple of 64

None, bool, int, float and str stand in the header as they are, and so does a list of values. What is raw is an object
of one key there: ``{"array": [dtype, shape, start]}``, ``{"number": [dtype, start]}`` (a numpy scalar),
``{"bytes": [length, start]}`` or, for a list of bytes, ``{"files": [[length, start, crc32], ...]}``, with ``start``
counted from the end of the header's padding. Files have checksums of their own, so that a shape of which one picture
is wanted costs one picture.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    'ALIGN',
    'FORMAT',
    'INDEX_FILE',
    'PACK_FILE',
    'ROW',
    'VERSION',
    'Row',
    'Files',
    'decode_record',
    'encode_record',
    'head_crc32',
    'index_dtype',
    'name_record',
    'read_pack',
    'sample_id_of',
    'wrong_with',
]

FORMAT, VERSION = 'mmpt-shards', 1
PACK_FILE, INDEX_FILE = 'pack.json', 'index.bin'
ALIGN = 64
_MAGIC = b'mmpt'
_PREFIX = struct.Struct('<4sIII')
# Numbers of a fixed width: no objects, no text, no structures.
_DTYPE = re.compile(r'[<|][biuf][1248]')
_FILE = re.compile(r'index\.bin|shard-[0-9]{5,}\.bin')
# A number that no label is.
_NO_LABEL = -(2**31)

#: The fields of a row of the index, in this order, without padding.
_FIELDS = (
    ('offset', '<u8'),  # of the record, in its shard
    ('length', '<u8'),  # of the record, without what follows to the next multiple of 64
    ('source', '<u8'),  # the shape's number in the data set that was packed
    ('label', '<i4'),  # -2**31 for none
    ('shard', '<u4'),  # number of the file
    ('crc32', '<u4'),  # of the record's head
    ('check', '<u4'),  # crc32 of the fields before it
)
_BODY, _CHECK = struct.Struct('<QQQiII'), struct.Struct('<I')
ROW = _BODY.size + _CHECK.size


def index_dtype() -> np.dtype:
    """The rows of the index as a structured numpy type, for ``np.memmap``."""
    return np.dtype(list(_FIELDS))


class Row:
    """One row of the index; see ``_FIELDS``.

    Args:
        offset (int): of the record in its shard, in bytes; likewise ``length``.
        length (int): of the record.
        source (int): the shape's number in the data set that was packed.
        label (int | None): the class.
        shard (int): number of the file.
        crc32 (int): of its head.
    """

    __slots__ = ('crc32', 'label', 'length', 'offset', 'shard', 'source')

    def __init__(self, offset: int, length: int, source: int, label: int | None, shard: int, crc32: int) -> None:
        self.offset, self.length, self.source = offset, length, source
        self.label, self.shard, self.crc32 = label, shard, crc32

    def pack(self) -> bytes:
        """The row's bytes."""
        if self.label is not None and not -(2**31) < self.label < 2**31:
            raise ValueError(f'label {self.label} does not fit into 32 bits; number the classes from 0.')
        label = _NO_LABEL if self.label is None else self.label
        body = _BODY.pack(self.offset, self.length, self.source, label, self.shard, self.crc32)
        return body + _CHECK.pack(zlib.crc32(body))

    @classmethod
    def unpack(cls, buffer: Any, start: int) -> Row | None:
        """Read the row that starts at a byte of a buffer; None where its own checksum is wrong."""
        offset, length, source, label, shard, crc32 = _BODY.unpack_from(buffer, start)
        (check,) = _CHECK.unpack_from(buffer, start + _BODY.size)
        if check != zlib.crc32(buffer[start : start + _BODY.size]):
            return None
        return cls(offset, length, source, None if label == _NO_LABEL else label, shard, crc32)


def encode_record(info: dict[str, Any]) -> bytes:
    """The bytes of a shape.

    Args:
        info (dict): key -> None, bool, int, float, str, bytes, an array or scalar of numbers, or a list of these.

    Returns:
        bytes: the record. The same ``info`` always gives the same bytes.

    Raises:
        ValueError: a value is something else; names key and sample.
    """
    raw = _Raw(info.get('sample_id'))
    placed = {key: raw.place(value, key) for key, value in info.items()}
    checked = raw.size
    raw.place_files()
    header = json.dumps(placed, ensure_ascii=False).encode()
    size = _PREFIX.size + len(header)
    head = (size + _missing(size) + checked) // ALIGN
    prefix = _PREFIX.pack(_MAGIC, len(header), zlib.crc32(header), head)
    return b''.join([prefix, header, b'\0' * _missing(size), *raw.parts])


class _Raw:
    """Collects what does not go into the header."""

    def __init__(self, sample_id: Any) -> None:
        self.sample_id, self.parts, self.size = sample_id, [], 0
        self.files: list[tuple[list[int], bytes]] = []

    def place(self, value: Any, key: str) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is list and value and all(isinstance(item, bytes) for item in value):
            places = [[len(item), 0, zlib.crc32(item)] for item in value]
            self.files += zip(places, value)
            return {'files': places}
        if type(value) is list:
            return [self.place(item, key) for item in value]
        if isinstance(value, bytes):
            return {'bytes': [len(value), self._add(value)]}
        if isinstance(value, (np.ndarray, np.generic)):
            dtype = value.dtype.newbyteorder('<')
            if _DTYPE.fullmatch(dtype.str):
                data = value.astype(dtype, copy=False).tobytes()
                if isinstance(value, np.generic):
                    return {'number': [dtype.str, self._add(data)]}
                return {'array': [dtype.str, list(value.shape), self._add(data)]}
        what = f'an array of {value.dtype}' if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(
            f'{key!r} of sample {self.sample_id!r} holds {what}, which a shard cannot store; expected None, a bool, a '
            'number, text, bytes, an array of numbers, or a list of these from `load_info`.'
        )

    def place_files(self) -> None:
        for place, data in self.files:
            place[1] = self._add(data)

    def _add(self, data: bytes) -> int:
        start = self.size
        self.parts += [data, b'\0' * _missing(len(data))]
        self.size += len(data) + _missing(len(data))
        return start


def _missing(size: int) -> int:
    return -size % ALIGN


class Files(Sequence):
    """The files of a record: each is read, and compared with its checksum, when it is asked for.

    It is as good as a list of bytes, and becomes one when it is pickled.

    Args:
        raw (memoryview): the record's raw part; may be a part of a memory map.
        places (list): length, start and crc32 of each.
        damaged (Callable[[str], ValueError]): makes the error of what is wrong.
    """

    def __init__(self, raw: memoryview, places: list[list[int]], damaged: Callable[[str], ValueError]) -> None:
        self._raw, self._places, self._damaged = raw, places, damaged

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        length, start, crc32 = self._places[index]
        data = bytes(self._raw[start : start + length])
        if zlib.crc32(data) != crc32:
            raise self._damaged(f'the checksum of its file {index} is not the one it was written with')
        return data

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, Files) else other)

    def __reduce__(self) -> tuple[type[list], tuple[list[bytes]]]:
        return list, (list(self),)


def _header(record: memoryview) -> tuple[Any, int, int]:
    """The header, where the raw part begins, and how long the head is."""
    if len(record) < _PREFIX.size:
        raise ValueError('it is shorter than a record can be')
    magic, length, crc32, head = _PREFIX.unpack_from(record)
    end = _PREFIX.size + length
    if magic != _MAGIC or end > len(record) or zlib.crc32(record[_PREFIX.size : end]) != crc32:
        raise ValueError('its header is damaged')
    return json.loads(bytes(record[_PREFIX.size : end])), end + _missing(end), head * ALIGN


def head_crc32(record: bytes | memoryview) -> int:
    """The checksum of the part of a record that stands in the index; of a damaged one, any number."""
    head = _PREFIX.unpack_from(record)[3] * ALIGN if len(record) >= _PREFIX.size else 0
    return zlib.crc32(memoryview(record)[:head])


def decode_record(record: memoryview, damaged: Callable[[str], ValueError] = ValueError) -> dict[str, Any]:
    """Read a record back.

    Args:
        record (memoryview): its bytes; may be a part of a memory map.
        damaged (Callable[[str], ValueError]): makes the error of what is wrong, now or when a file of it is read.

    Returns:
        dict: what :func:`encode_record` was given; arrays are C-contiguous and belong to the caller, a list of bytes is
        :class:`Files`.

    Raises:
        ValueError: these bytes are no record; says why.
    """
    try:
        header, start, _ = _header(record)
        raw = record[start:]
        return {key: _read(value, raw, damaged) for key, value in header.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise damaged(f'it is no record ({error})') from error


def wrong_with(record: memoryview, crc32: int) -> str | None:
    """What is wrong with a record whose row of the index says ``crc32``, its files included; None for nothing."""
    if head_crc32(record) != crc32:
        return 'its checksum is not the one it was written with'
    try:
        _touch(list(decode_record(record).values()))
    except ValueError as error:
        return str(error)
    return None


def _touch(value: Any) -> None:
    if isinstance(value, (list, Files)):
        for item in value:
            _touch(item)


def _read(value: Any, raw: memoryview, damaged: Callable[[str], ValueError]) -> Any:
    if isinstance(value, list):
        return [_read(item, raw, damaged) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, place),) = value.items()
    if kind == 'files':
        for length, start, _ in place:
            _check_inside(length, start, raw)
        return Files(raw, place, damaged)
    if kind == 'bytes':
        length, start = place
        _check_inside(length, start, raw)
        return bytes(raw[start : start + length])
    dtype, *shape, start = place
    if kind not in ('array', 'number') or not _DTYPE.fullmatch(dtype):
        raise ValueError(f'a value of kind {kind!r} and type {dtype!r}')
    array = np.ndarray(shape[0] if shape else (), dtype, buffer=raw, offset=start).copy()
    return array[()] if kind == 'number' else array


def _check_inside(length: int, start: int, raw: memoryview) -> None:
    if not (type(length) is type(start) is int and 0 <= start <= start + length <= len(raw)):
        raise ValueError(f'{length} bytes from {start} on, of {len(raw)}')


def sample_id_of(record: memoryview) -> str | None:
    """The ``sample_id`` of a record that may be damaged; None where its header is."""
    try:
        header, _, _ = _header(record)
        return str(header['sample_id'])
    except (ValueError, TypeError, KeyError):
        return None


def name_record(path: Path, index: int, sample_id: str | None) -> str:
    """How an error calls a record: its file, its number in the pack, its sample."""
    return f'{path}, record {index} (sample {"whose id cannot be read" if sample_id is None else repr(sample_id)})'


def read_pack(folder: Path) -> dict[str, Any]:
    """Read pack.json.

    Returns:
        dict: its content; ``metainfo`` with tuples where JSON has lists.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not one of ours, or of another version.
    """
    path = folder / PACK_FILE
    try:
        pack = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(
            f'{path.absolute()} does not exist, expected a folder that tools/dataset_converters/pack.py wrote; with '
            '`packed=True` the root is the folder given to it, which holds one folder for each split.'
        ) from error
    except ValueError as error:
        raise ValueError(f'{path} is not readable JSON ({error}); copy or pack the data again.') from error
    if not isinstance(pack, dict) or pack.get('format') != FORMAT:
        raise ValueError(f'{path} does not describe packed data of mmpt, expected "format": "{FORMAT}" in it.')
    if pack.get('format_version') != VERSION:
        raise ValueError(
            f'{path} has format version {pack.get("format_version")!r}, and this mmpt reads version {VERSION}; pack '
            'the data again with tools/dataset_converters/pack.py, or use the mmpt that wrote them.'
        )
    wrong = [key for key, good in _NEEDED.items() if key not in pack or not good(pack[key])]
    if wrong or (pack['complete'] and not _is_file(pack.get('index'))):
        raise ValueError(
            f'{path} lacks {", ".join(wrong) or "index"}, or has something there that was not written by mmpt; copy or '
            'pack the data again.'
        )
    pack['metainfo'] = _tuples(pack['metainfo'])
    return pack


def _is_file(value: Any) -> bool:
    """Whether a value describes one of our files: a name that leads nowhere else, its size and its digest."""
    return (
        isinstance(value, dict)
        and isinstance(value.get('name'), str)
        and _FILE.fullmatch(value['name']) is not None
        and isinstance(value.get('bytes'), int)
        and isinstance(value.get('sha256'), str)
    )


def _is_list_of(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(good, value))


# What has to be in pack.json, and how it is told from what is not ours.
_NEEDED: dict[str, Callable[[Any], bool]] = {
    'dataset': lambda value: isinstance(value, str),
    'variant': lambda value: True,
    'metainfo': lambda value: isinstance(value, dict),
    'num_shapes': lambda value: isinstance(value, int) and value >= 0,
    'complete': lambda value: isinstance(value, bool),
    'command': _is_list_of(lambda word: isinstance(word, str)),
    'shards': _is_list_of(_is_file),
}


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return {key: _tuples(item) for key, item in value.items()} if isinstance(value, dict) else value
