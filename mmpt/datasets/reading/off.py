"""OFF and STL."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from .checks import bad_file, describe, read_bytes
from .faces import fan
from .text import full_lines, parse_lists, parse_rows

__all__ = ['read_off', 'read_stl']

_AGAIN = 'the file is damaged or cut off, so copy or download it again'
# The word, then the counts in the same line or in the next; ModelNet has files that begin "OFF490 518 0".
_OFF = re.compile(r'\s*(ST)?(C)?(N)?OFF\s*(\d+)\s+(\d+)(\s+\d+)?\s*$')
_TRIANGLE = np.dtype([('normal', '<f4', 3), ('corners', '<f4', (3, 3)), ('attribute', '<u2')])
_VERTEX = re.compile(rb'\s*vertex\s+(.*)', re.IGNORECASE)


def read_off(path: str | os.PathLike) -> dict[str, Any]:
    """Read the vertices and faces of an OFF file in text, with the colours of COFF and the normals of NOFF.

    Args:
        path (str | PathLike): the file.

    Returns:
        dict: points (V, 3) float64; faces (F, 3) int64 where there are any (polygons cut into fans), and colors or
        normals (V, 3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no OFF file, or fewer vertices or faces than it claims.
    """
    expected = 'an .off file'
    content = read_bytes(path, expected)
    lines, numbers = full_lines(content.decode('latin1'))
    used, match = 1, _OFF.match(lines[0]) if lines else None
    if match is None and len(lines) > 1:
        used, match = 2, _OFF.match(f'{lines[0]} {lines[1]}')
    if match is None:
        raise bad_file(path, expected, describe(content[:64]), 'choose the suffix by what the file holds')
    vertices, faces = int(match[4]), int(match[5])
    if len(lines) < used + vertices + faces:
        found = f'{len(lines) - used:,} lines for {vertices:,} vertices and {faces:,} faces'
        raise bad_file(path, expected, found, _AGAIN)
    if vertices == 0:
        return {'points': np.zeros((0, 3))}
    body = lines[used : used + vertices]
    rows = parse_rows(body, len(body[0].split()), path, numbers[used:])
    skip = 3 if match[3] else 0
    if rows.shape[1] < 3 + skip + (3 if match[2] else 0):
        found = f'{rows.shape[1]} numbers a vertex'
        raise bad_file(path, f'{expected} with the vertices that {lines[0].strip()!r} says', found, _AGAIN)
    parts: dict[str, Any] = {'points': rows[:, :3]}
    if match[3]:
        parts['normals'] = rows[:, 3:6]
    if match[2]:
        parts['colors'] = rows[:, 3 + skip : 6 + skip]
    if faces:
        at = used + vertices
        lengths, corners = parse_lists(lines[at : at + faces], path, numbers[at:])
        if not lengths.all():
            # Most likely a vertex more than the header counts.
            place = at + int(np.argmin(lengths))
            where = f'{os.fspath(path)}, line {numbers[place]}'
            raise bad_file(where, 'a face with corners', repr(lines[place].strip()[:60]), _AGAIN)
        parts['faces'] = fan(lengths, corners)
    return parts


def read_stl(path: str | os.PathLike) -> dict[str, Any]:
    """Read the triangles of an STL file, text or binary.

    Args:
        path (str | PathLike): the file.

    Returns:
        dict: points (3 F, 3), the corners of the triangles, and faces (F, 3) int64.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no STL file, or a binary one with fewer or more triangles than it claims.
    """
    expected = 'an .stl file'
    content = read_bytes(path, expected)
    claimed = int.from_bytes(content[80:84], 'little')
    if len(content) >= 84 and len(content) == 84 + claimed * _TRIANGLE.itemsize:
        corners = np.frombuffer(content, _TRIANGLE, claimed, 84)['corners'].reshape(-1, 3)
    elif content.lstrip()[:5].lower() == b'solid' and b'facet' in content[:4096].lower():
        found = [
            (number, match[1].decode('latin1'))
            for number, match in enumerate(map(_VERTEX.match, content.splitlines()), start=1)
            if match
        ]
        numbers, words = [number for number, _ in found], [line for _, line in found]
        if b'endsolid' not in content[-512:].lower() or len(words) % 3:
            raise bad_file(path, expected, f'text that ends after {len(words):,} vertices without "endsolid"', _AGAIN)
        corners = parse_rows(words, 3, path, numbers)
    else:
        left = max(len(content) - 84, 0)
        found = f'{describe(content[:64])} and {left:,} bytes where its header claims {claimed:,} triangles of 50'
        raise bad_file(path, expected, found, _AGAIN)
    return {'points': corners, 'faces': np.arange(len(corners)).reshape(-1, 3)}
