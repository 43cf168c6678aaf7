"""What the bytes of a pack mean: records, rows of the index, pack.json. All little-endian, and nothing is pickled.

A record is one shape::

    4 bytes   b'mmpt'
    uint32    length of the header
    uint32    crc32 of the header
    uint32    0
    header    JSON, UTF-8: key -> value
    padding   to a multiple of 64, then each array at a multiple of 64

None, bool, int, float and str stand in the header as they are, and so does a list of values. What is raw is an object
of one key there: ``{"array": [dtype, shape, start]}``, ``{"number": [dtype, start]}`` (a numpy scalar) or
``{"bytes": [length, start]}`` (an encoded picture), with ``start`` counted from the end of the header's padding.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
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
    'decode_record',
    'encode_record',
    'index_dtype',
    'name_record',
    'read_pack',
    'sample_id_of',
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
    ('crc32', '<u4'),  # of the record
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
        crc32 (int): of the record.
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
    header = json.dumps({key: raw.place(value, key) for key, value in info.items()}, ensure_ascii=False).encode()
    prefix = _PREFIX.pack(_MAGIC, len(header), zlib.crc32(header), 0)
    return b''.join([prefix, header, b'\0' * _missing(len(prefix) + len(header)), *raw.parts])


class _Raw:
    """Collects what does not go into the header."""

    def __init__(self, sample_id: Any) -> None:
        self.sample_id, self.parts, self.size = sample_id, [], 0

    def place(self, value: Any, key: str) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
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

    def _add(self, data: bytes) -> int:
        start = self.size
        self.parts += [data, b'\0' * _missing(len(data))]
        self.size += len(data) + _missing(len(data))
        return start


def _missing(size: int) -> int:
    return -size % ALIGN


def _header(record: memoryview) -> tuple[Any, int]:
    """The header, and where the raw part begins."""
    if len(record) < _PREFIX.size:
        raise ValueError('it is shorter than a record can be')
    magic, length, crc32, _ = _PREFIX.unpack_from(record)
    end = _PREFIX.size + length
    if magic != _MAGIC or end > len(record) or zlib.crc32(record[_PREFIX.size : end]) != crc32:
        raise ValueError('its header is damaged')
    return json.loads(bytes(record[_PREFIX.size : end])), end + _missing(end)


def decode_record(record: memoryview) -> dict[str, Any]:
    """Read a record back.

    Args:
        record (memoryview): its bytes; may be a part of a memory map, nothing of it is kept.

    Returns:
        dict: what :func:`encode_record` was given; arrays are C-contiguous and belong to the caller.

    Raises:
        ValueError: these bytes are no record; says why.
    """
    header, start = _header(record)
    if not isinstance(header, dict):
        raise ValueError('its header is no dictionary')
    raw = record[start:]
    try:
        return {key: _read(value, raw) for key, value in header.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f'its header asks for what is not there ({error})') from error


def _read(value: Any, raw: memoryview) -> Any:
    if isinstance(value, list):
        return [_read(item, raw) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, place),) = value.items()
    if kind == 'bytes':
        length, start = place
        if not 0 <= start <= start + length <= len(raw):
            raise ValueError(f'{length} bytes from {start} on')
        return bytes(raw[start : start + length])
    dtype, *shape, start = place
    if kind not in ('array', 'number') or not _DTYPE.fullmatch(dtype):
        raise ValueError(f'a value of kind {kind!r} and type {dtype!r}')
    array = np.ndarray(shape[0] if shape else (), dtype, buffer=raw, offset=start).copy()
    return array[()] if kind == 'number' else array


def sample_id_of(record: memoryview) -> str | None:
    """The ``sample_id`` of a record that may be damaged; None where its header is."""
    try:
        header, _ = _header(record)
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
