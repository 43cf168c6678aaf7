"""PLY: text and both byte orders, any properties in any order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .checks import bad_file, describe, read_bytes
from .faces import fan
from .text import full_lines, parse_lists, parse_rows

__all__ = ['read_ply']

_EXPECTED = 'a .ply file'
_AGAIN = 'the file is damaged or cut off, so copy or download it again'
_NAMES = {
    'i1': ('char', 'int8'),
    'u1': ('uchar', 'uint8'),
    'i2': ('short', 'int16'),
    'u2': ('ushort', 'uint16'),
    'i4': ('int', 'int32'),
    'u4': ('uint', 'uint32'),
    'f4': ('float', 'float32'),
    'f8': ('double', 'float64'),
}
_TYPES = {name: kind for kind, names in _NAMES.items() for name in names}
_FORMATS = {'ascii': '', 'binary_little_endian': '<', 'binary_big_endian': '>'}
_COLORS = (('red', 'green', 'blue'), ('r', 'g', 'b'), ('diffuse_red', 'diffuse_green', 'diffuse_blue'))
_ALPHA = {'alpha', 'a', 'diffuse_alpha'}
_INDICES = ('vertex_indices', 'vertex_index')
_HEADER_BYTES = 1 << 16


class _Property(NamedTuple):
    name: str
    type: str
    length: str | None  # type of a list's length; None for a number


class _Element(NamedTuple):
    name: str
    count: int
    properties: list[_Property]


def read_ply(path: str | os.PathLike) -> dict[str, Any]:
    """Read the vertices and faces of a PLY file; other elements are passed over.

    Args:
        path (str | PathLike): the file.

    Returns:
        dict: points (N, 3); where the file has them, normals (N, 3), colors (N, 3), faces (F, 3) int64 (polygons cut
        into fans), and extra, with every further number of a vertex (N,) but alpha. Types as in the file, float64 in
        text.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no PLY file, a header that cannot be read, or fewer vertices or faces than it claims.
    """
    data = read_bytes(path, _EXPECTED)
    order, elements, start, line = _read_header(data, path)
    vertex = next((element.properties for element in elements if element.name == 'vertex'), [])
    lists = [prop.name for prop in vertex if prop.length is not None]
    missing = [name for name in 'xyz' if name not in {prop.name for prop in vertex}]
    if missing or lists:
        what = f'the list {lists[0]!r}' if lists else 'no ' + ', '.join(missing)
        raise bad_file(path, f'{_EXPECTED} with x, y, z and single numbers in its vertices', what, 'write it again')
    body = _Text(data, start, line, path) if order == '' else _Binary(data, start, order, path)
    found: dict[str, dict[str, Any]] = {}
    for element in elements:
        found[element.name] = body.read(element)
        if {'vertex', 'face'} <= found.keys():
            break
    if 'tristrips' in found and 'face' not in found:
        raise bad_file(path, f'{_EXPECTED} with faces', 'triangle strips', 'save it as triangles')
    return _sort_out(found)


def _read_header(data: bytes, path: str | os.PathLike) -> tuple[str, list[_Element], int, int]:
    """Byte order ('' for text), elements, where the body begins in bytes, and the number of its first line."""
    if not data.startswith(b'ply'):
        raise bad_file(path, _EXPECTED, describe(data[:64]), 'choose the suffix by what the file holds')
    end = data.find(b'end_header', 0, _HEADER_BYTES)
    stop = data.find(b'\n', end) + 1
    if end < 0 or not stop:
        raise bad_file(path, _EXPECTED, 'no end of the header', _AGAIN)
    order, elements = None, []
    lines = data[:end].decode('latin1').splitlines()
    for number, line in enumerate(lines, start=1):
        words = line.split()
        try:
            if not words or words[0] in ('ply', 'comment', 'obj_info'):
                continue
            if words[0] == 'format':
                order = _FORMATS[words[1]]
            elif words[0] == 'element':
                elements.append(_Element(words[1], int(words[2]), []))
                if elements[-1].count < 0:
                    raise ValueError
            elif words[0] == 'property' and words[1] == 'list':
                _, _, length, kind, name = words
                if _TYPES[length][0] == 'f':
                    raise ValueError
                elements[-1].properties.append(_Property(name, _TYPES[kind], _TYPES[length]))
            elif words[0] == 'property':
                _, kind, name = words
                elements[-1].properties.append(_Property(name, _TYPES[kind], None))
            else:
                raise ValueError
        except (ValueError, LookupError) as error:
            raise bad_file(f'{os.fspath(path)}, line {number}', 'a line of a PLY header', repr(line), _AGAIN) from error
    names = [element.name for element in elements]
    repeated = any(len({p.name for p in e.properties}) < len(e.properties) for e in elements)
    if order is None or len(set(names)) < len(names) or repeated:
        raise bad_file(path, _EXPECTED, 'a header without format or with a name twice', 'write the file again')
    return order, elements, stop, len(lines) + 2


class _Text:
    """The body of a text file, element by element."""

    def __init__(self, data: bytes, start: int, line: int, path: str | os.PathLike) -> None:
        self.lines, self.numbers = full_lines(data[start:].decode('latin1'), line)
        self.path, self.next = path, 0

    def read(self, element: _Element) -> dict[str, Any]:
        """The next element: numbers by name, and of lists (lengths, everything in a row)."""
        part = slice(self.next, self.next + element.count)
        lines, numbers = self.lines[part], self.numbers[part]
        if len(lines) < element.count:
            found = f'{len(lines):,} lines for {element.count:,} of element {element.name!r}'
            raise bad_file(self.path, _EXPECTED, found, _AGAIN)
        self.next += element.count
        if element.name not in ('vertex', 'face'):
            return {}
        lists = [prop for prop in element.properties if prop.length is not None]
        if not lists:
            rows = parse_rows(lines, len(element.properties), self.path, numbers)
            return {prop.name: rows[:, column] for column, prop in enumerate(element.properties)}
        if lines and element.properties[0].name in _INDICES:
            # What is behind the list of vertices is of no use here.
            return {element.properties[0].name: parse_lists(lines, self.path, numbers)}
        return self._read_slowly(element, lines, numbers)

    def _read_slowly(self, element: _Element, lines: list[str], numbers: Sequence[int]) -> dict[str, Any]:
        """Lists that stand behind something else; the plain numbers are left out."""
        lengths: dict[str, list[int]] = {prop.name: [] for prop in element.properties if prop.length is not None}
        values: dict[str, list[float]] = {name: [] for name in lengths}
        for number, line in zip(numbers, lines):
            words, at = line.split(), 0
            for prop in element.properties:
                try:
                    if prop.length is None:
                        at += 1
                        continue
                    length = int(words[at])
                    items = [float(word) for word in words[at + 1 : at + 1 + length]]
                    if not 0 <= length == len(items):
                        raise ValueError
                except (ValueError, IndexError) as error:
                    where = f'{os.fspath(self.path)}, line {number}'
                    found = repr(line.strip()[:60])
                    raise bad_file(where, f'the properties of {element.name!r}', found, _AGAIN) from error
                lengths[prop.name].append(length)
                values[prop.name] += items
                at += 1 + length
        return {name: (np.array(lengths[name], np.int64), np.array(values[name])) for name in lengths}


class _Binary:
    """The body of a binary file, element by element."""

    def __init__(self, data: bytes, start: int, order: str, path: str | os.PathLike) -> None:
        self.data, self.next, self.order, self.path = data, start, order, path

    def read(self, element: _Element) -> dict[str, Any]:
        """The next element: numbers by name, and of lists (lengths, everything in a row)."""
        if element.count == 0:
            return {p.name: np.zeros(0) if p.length is None else (np.zeros(0, int),) * 2 for p in element.properties}
        lengths = self._lengths_of_one(element)
        record = np.dtype(self._fields(element, lengths))
        # Nearly always all lists of a file have one length, and the element is a table.
        if self.next + element.count * record.itemsize <= len(self.data):
            table = np.frombuffer(self.data, record, element.count, self.next)
            if all((table[f'#{name}'] == length).all() for name, length in lengths.items()):
                self.next += table.nbytes
                return {
                    p.name: table[p.name]
                    if p.length is None
                    else (table[f'#{p.name}'].astype(np.int64), table[p.name].reshape(-1))
                    for p in element.properties
                }
        elif not lengths:
            self._cut(element)
        return self._read_lists(element)

    def _fields(self, element: _Element, lengths: dict[str, int]) -> list[tuple]:
        fields: list[tuple] = []
        for prop in element.properties:
            if prop.length is None:
                fields.append((prop.name, self.order + prop.type))
            else:
                fields.append((f'#{prop.name}', self.order + prop.length))
                fields.append((prop.name, self.order + prop.type, (lengths[prop.name],)))
        return fields

    def _cut(self, element: _Element) -> None:
        left = len(self.data) - self.next
        found = f'{left:,} bytes for {element.count:,} of element {element.name!r}'
        raise bad_file(self.path, _EXPECTED, found, _AGAIN)

    def _lengths_of_one(self, element: _Element) -> dict[str, int]:
        """The lengths of the lists of the first record."""
        return {name: int(pairs[0][1]) for name, pairs in self._walk(element, self.next, 1)[1].items()}

    def _walk(self, element: _Element, at: int, count: int) -> tuple[int, dict[str, list[tuple[int, int]]]]:
        """Go from list to list: where the records end, and for each list its (place of the first item, length)."""
        lists: dict[str, list[tuple[int, int]]] = {p.name: [] for p in element.properties if p.length is not None}
        order = 'big' if self.order == '>' else 'little'
        steps = [
            (p.name, int(p.type[1]), int(p.length[1]) if p.length else 0, bool(p.length) and p.length[0] == 'i')
            for p in element.properties
        ]
        size = len(self.data)
        for _ in range(count):
            for name, item, width, signed in steps:
                if not width:
                    at += item
                    continue
                length = int.from_bytes(self.data[at : at + width], order, signed=signed)
                at += width
                if length < 0 or at + length * item > size:
                    self._cut(element)
                lists[name].append((at, length))
                at += length * item
            if at > size:
                self._cut(element)
        return at, lists

    def _read_lists(self, element: _Element) -> dict[str, Any]:
        """An element whose lists have several lengths; its plain numbers are left out."""
        self.next, lists = self._walk(element, self.next, element.count)
        raw, read = np.frombuffer(self.data, np.uint8), {}
        for prop in element.properties:
            if prop.length is not None:
                width = int(prop.type[1])
                starts, lengths = np.array(lists[prop.name], np.int64).reshape(-1, 2).T
                inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
                places = np.repeat(starts, lengths) + inside * width
                items = raw[places[:, None] + np.arange(width)].reshape(-1).view(self.order + prop.type)
                read[prop.name] = (lengths, items)
        return read


def _sort_out(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    vertex = dict(found['vertex'])
    parts: dict[str, Any] = {'points': np.stack([vertex.pop(name) for name in 'xyz'], axis=1)}
    for key, names in (('normals', ('nx', 'ny', 'nz')), *(('colors', names) for names in _COLORS)):
        if key not in parts and all(name in vertex for name in names):
            parts[key] = np.stack([vertex.pop(name) for name in names], axis=1)
    parts['extra'] = {name: value for name, value in vertex.items() if 'colors' not in parts or name not in _ALPHA}
    face = found.get('face', {})
    indices = next((face[name] for name in _INDICES if name in face), None)
    if isinstance(indices, tuple) and len(indices[0]):
        parts['faces'] = fan(*indices)
    return parts
