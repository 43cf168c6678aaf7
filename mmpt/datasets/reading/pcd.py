"""PCD, the format of the Point Cloud Library: text, binary and compressed."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from .checks import bad_file, describe, read_bytes
from .text import full_lines, parse_rows

__all__ = ['read_pcd', 'unpack_lzf']

_EXPECTED = 'a .pcd file'
_AGAIN = 'the file is damaged or cut off, so copy or download it again'
_WORDS = {'VERSION', 'FIELDS', 'COLUMNS', 'SIZE', 'TYPE', 'COUNT', 'WIDTH', 'HEIGHT', 'VIEWPOINT', 'POINTS', 'DATA'}
_HEADER_LINES = 64
_POINT_BYTES = 1 << 16
# LZF stands for at most 264 bytes by 3.
_LZF_GAIN = 88


class _Header(NamedTuple):
    fields: list[tuple[str, str, int]]  # name, type in numpy's letters, numbers of a point
    points: int
    organised: bool
    data: str
    start: int
    lines: int


def read_pcd(path: str | os.PathLike) -> dict[str, Any]:
    """Read a PCD file of version 0.6 or 0.7.

    Args:
        path (str | PathLike): the file.

    Returns:
        dict: points (N, 3); where the file has them, normals (N, 3) from normal_x, normal_y, normal_z, colors (N, 3)
        uint8 from rgb or rgba, and extra, with every further field (N,) or (N, k). An organised cloud (more than one
        row) marks places without a point by NaN: these are left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no PCD file, a header that cannot be read, or fewer points than it claims.
    """
    content = read_bytes(path, _EXPECTED)
    header = _read_header(content, path)
    body = memoryview(content)[header.start :]
    if header.data == 'ascii':
        columns = _read_text(bytes(body), header, path)
    elif header.data == 'binary':
        columns = _read_binary(body, header, path)
    else:
        columns = _read_compressed(body, header, path)
    return _sort_out(columns, header, path)


def _read_header(content: bytes, path: str | os.PathLike) -> _Header:
    said: dict[str, list[str]] = {}
    start = lines = 0
    while 'DATA' not in said:
        stop = content.find(b'\n', start, start + 65536) + 1
        words = content[start:stop].decode('latin1').split('#', 1)[0].split()
        if not stop or lines >= _HEADER_LINES or (words and words[0].upper() not in _WORDS):
            what = 'no line DATA' if said and not words else describe(content[start : start + 64])
            raise bad_file(
                f'{os.fspath(path)}, line {lines + 1}',
                f'the header of {_EXPECTED}',
                what,
                'choose the suffix by what the file holds, or copy it again',
            )
        if words:
            said[words[0].upper()] = words[1:]
        start, lines = stop, lines + 1
    try:
        names = said.get('FIELDS') or said['COLUMNS']
        counts = [int(word) for word in said.get('COUNT', ['1'] * len(names))]
        types = [
            {'F': 'f', 'I': 'i', 'U': 'u'}[kind.upper()] + str(int(size))
            for kind, size in zip(said['TYPE'], said['SIZE'], strict=True)
        ]
        height = int(said.get('HEIGHT', ['1'])[0])
        points = int(said['POINTS'][0]) if 'POINTS' in said else int(said['WIDTH'][0]) * height
        fields = list(zip(names, types, counts, strict=True))
        data = said['DATA'][0].lower()
        if 'WIDTH' in said and int(said['WIDTH'][0]) * height != points:
            raise ValueError('WIDTH times HEIGHT is not POINTS')
        sizes = [np.dtype(kind).itemsize * count for kind, count in zip(types, counts)]
        if min(counts, default=0) < 1 or points < 0 or sum(sizes) > _POINT_BYTES:
            raise ValueError('a number out of range')
        if data not in ('ascii', 'binary', 'binary_compressed'):
            raise ValueError(f'DATA {data}')
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise bad_file(path, _EXPECTED, f'a header that cannot be read ({error})', _AGAIN) from error
    return _Header(fields, points, height > 1, data, start, lines)


def _read_text(body: bytes, header: _Header, path: str | os.PathLike) -> list[np.ndarray]:
    lines, numbers = full_lines(body.decode('latin1'), header.lines + 1)
    if len(lines) < header.points:
        raise bad_file(path, _EXPECTED, f'{len(lines):,} lines for {header.points:,} points', _AGAIN)
    width = sum(count for _, _, count in header.fields)
    rows = parse_rows(lines[: header.points], width, path, numbers)
    columns, at = [], 0
    for name, kind, count in header.fields:
        column = rows[:, at : at + count]
        # A field of integers may still hold NaN in text where a point is missing.
        if kind[0] == 'f' or np.isfinite(column).all():
            with np.errstate(over='ignore', invalid='ignore'):
                typed = column.astype(kind)
            if kind[0] != 'f' and not (typed == column).all():
                raise bad_file(path, f'numbers of the type {kind} in {name!r}', 'others', 'correct the header')
            column = typed
        columns.append(column)
        at += count
    return columns


def _read_binary(body: memoryview, header: _Header, path: str | os.PathLike) -> list[np.ndarray]:
    record = np.dtype([(f'f{i}', f'<{kind}', (count,)) for i, (_, kind, count) in enumerate(header.fields)])
    if len(body) < header.points * record.itemsize:
        found = f'{len(body):,} bytes for {header.points:,} points of {record.itemsize}'
        raise bad_file(path, _EXPECTED, found, _AGAIN)
    table = np.frombuffer(body, record, header.points)
    return [table[f'f{i}'] for i in range(len(header.fields))]


def _read_compressed(body: memoryview, header: _Header, path: str | os.PathLike) -> list[np.ndarray]:
    """Sizes (two uint32), then LZF of the fields one after the other."""
    sizes = [np.dtype(kind).itemsize * count * header.points for _, kind, count in header.fields]
    packed, plain = (int.from_bytes(body[at : at + 4], 'little') for at in (0, 4))
    if len(body) < 8 + packed or plain != sum(sizes) or plain > _LZF_GAIN * packed:
        found = f'{len(body):,} bytes that claim {packed:,} packed and {plain:,} plain ones, for {sum(sizes):,} needed'
        raise bad_file(path, _EXPECTED, found, _AGAIN)
    try:
        data = unpack_lzf(bytes(body[8 : 8 + packed]), plain)
    except ValueError as error:
        raise bad_file(path, _EXPECTED, f'packed data that cannot be unpacked ({error})', _AGAIN) from error
    columns, at = [], 0
    for (_, kind, count), size in zip(header.fields, sizes):
        columns.append(np.frombuffer(data, f'<{kind}', header.points * count, at).reshape(header.points, count))
        at += size
    return columns


def unpack_lzf(packed: bytes, size: int) -> bytes:
    """Unpack LZF, the compression of liblzf.

    A byte below 32 says that so many and one more bytes follow as they are; any other is a length (3 bits, 7 meaning
    that a byte adds to it) and a distance back (13 bits) from which length + 2 bytes are repeated.

    Args:
        packed (bytes): the packed bytes.
        size (int): bytes to come out.

    Returns:
        bytes: ``size`` bytes.

    Raises:
        ValueError: the bytes do not come out at this size.
    """
    out = bytearray()
    at, end = 0, len(packed)
    while at < end:
        control = packed[at]
        at += 1
        if control < 32:
            out += packed[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7 and at < end:
            length += packed[at]
            at += 1
        if at >= end:
            raise ValueError('it ends in the middle')
        back = ((control & 31) << 8) + packed[at] + 1
        at += 1
        start = len(out) - back
        if start < 0:
            raise ValueError('it goes back before its beginning')
        piece = out[start : start + length + 2]
        # Where the distance is shorter than the length, what was repeated is repeated again.
        out += (piece * ((length + 2) // len(piece) + 1))[: length + 2]
        if len(out) > size:
            break
    if len(out) != size or at > end:
        raise ValueError(f'{len(out)} bytes came out instead of {size}')
    return bytes(out)


def _sort_out(columns: list[np.ndarray], header: _Header, path: str | os.PathLike) -> dict[str, Any]:
    by_name = {name: column for (name, _, _), column in zip(header.fields, columns) if name != '_'}
    single = {name for name, _, count in header.fields if count == 1}
    if not {'x', 'y', 'z'} <= single:
        raise bad_file(path, f'{_EXPECTED} with x, y and z', f'the fields {", ".join(by_name)}', 'write it again')
    parts: dict[str, Any] = {'points': np.concatenate([by_name.pop(name) for name in 'xyz'], axis=1)}
    if header.organised:
        there = np.isfinite(parts['points']).all(axis=1)
        parts['points'] = parts['points'][there]
        by_name = {name: column[there] for name, column in by_name.items()}
    normals = ('normal_x', 'normal_y', 'normal_z')
    if single.issuperset(normals):
        parts['normals'] = np.concatenate([by_name.pop(name) for name in normals], axis=1)
    color = next((name for name in ('rgb', 'rgba') if name in single), None)
    if color is not None:
        parts['colors'] = _unpack_colors(by_name.pop(color)[:, 0])
    parts['extra'] = {name: column[:, 0] if name in single else column for name, column in by_name.items()}
    return parts


def _unpack_colors(packed: np.ndarray) -> np.ndarray:
    """Colours in the bits of one number, 0x00RRGGBB, whatever type the header gives to these bits."""
    bits = np.ascontiguousarray(packed)
    bits = bits.astype('<f4').view('<u4') if bits.dtype.kind == 'f' else bits.astype('<i8').astype('<u4')
    return np.stack([bits >> shift & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)
