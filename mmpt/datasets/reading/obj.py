"""Wavefront OBJ, with the colours of its materials."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .checks import bad_file, describe, read_bytes
from .faces import fan_corners
from .materials import Material, read_materials, sample_texture
from .text import parse_rows

__all__ = ['read_obj']

_EXPECTED = 'an .obj file'
_AGAIN = 'the file is damaged or cut off, so copy or download it again'


def read_obj(path: str | os.PathLike) -> dict[str, Any]:
    """Read the vertices and faces of an OBJ file; objects and groups become one mesh, lines and curves are passed over.

    Colours are those of the vertices (``v x y z r g b``) where there are any, else of the materials, as far as their
    files lie in the folder of this one or below it: the diffuse colour, or its texture at the corners of the faces. A
    vertex where colours meet is then there once for each of them. Nothing outside of the folder is opened.

    Args:
        path (str | PathLike): the file.

    Returns:
        dict: points (V, 3) float64; where there are any, faces (F, 3) int64 (polygons cut into fans), colors (V, 3),
        and normals (V, 3), if the file has one for each vertex.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no OBJ file, or a line that cannot be read.
    """
    statements = _Statements(read_bytes(path, _EXPECTED), path)
    rows = statements.numbers('v')
    parts: dict[str, Any] = {'points': rows[:, :3]}
    if rows.shape[1] >= 6:
        parts['colors'] = rows[:, 3:6]
    if not statements.faces:
        if 0 < len(statements.lines['vn']) == len(rows):
            parts['normals'] = statements.numbers('vn')[:, :3]
        return parts
    lengths, corners = _read_corners(statements)
    triangles = fan_corners(lengths)
    if not len(triangles):
        return parts
    parts['faces'] = corners[triangles, 0]
    if 0 < len(statements.lines['vn']) == len(rows) and (corners[:, 2] == corners[:, 0]).all():
        parts['normals'] = statements.numbers('vn')[:, :3]
    inside = corners[:, 0].min() >= 0 and corners[:, 0].max() < len(rows)
    materials = read_materials(path, statements.libraries) if inside and 'colors' not in parts else {}
    if any(name in materials for name, _ in statements.uses):
        colors = _color_corners(statements, materials, lengths, corners)
        _split(parts, colors[triangles])
    return parts


class _Statements:
    """The lines of a file by what they state."""

    def __init__(self, content: bytes, path: str | os.PathLike) -> None:
        if b'\0' in content[:512]:
            raise bad_file(path, _EXPECTED, describe(content[:64]), 'choose the suffix by what the file holds')
        text = content.decode('utf-8', 'replace').replace('\\\r\n', ' ').replace('\\\n', ' ').replace('\t', ' ')
        self.path = path
        self.lines: dict[str, list[str]] = {'v': [], 'vn': [], 'vt': []}
        self.numbers_of: dict[str, list[int]] = {'v': [], 'vn': [], 'vt': []}
        self.faces: list[str] = []
        self.face_numbers: list[int] = []
        self.libraries: list[str] = []
        self.uses: list[tuple[str, int]] = []  # name of a material, and the first of its faces
        for number, line in enumerate(text.split('\n'), start=1):
            word, _, rest = line.strip().partition(' ')
            if word in self.lines:
                self.lines[word].append(rest)
                self.numbers_of[word].append(number)
            elif word == 'f':
                self.faces.append(rest.split('#', 1)[0].strip())
                self.face_numbers.append(number)
            elif word == 'usemtl':
                self.uses.append((rest.strip(), len(self.faces)))
            elif word == 'mtllib':
                self.libraries.append(rest.strip())
        if not self.lines['v']:
            found = f'{describe(content[:64])} and no vertex'
            raise bad_file(path, _EXPECTED, found, 'choose the suffix by what the file holds, or copy it again')

    def numbers(self, word: str) -> np.ndarray:
        """The rows behind ``v``, ``vn`` or ``vt``: float64, as many columns as the first one has."""
        lines, need = self.lines[word], 2 if word == 'vt' else 3
        width = len(lines[0].split())
        if width < need:
            where = f'{os.fspath(self.path)}, line {self.numbers_of[word][0]}'
            raise bad_file(where, f'{need} numbers behind {word!r}', f'{width}', _AGAIN)
        return parse_rows(lines, width, self.path, self.numbers_of[word])


def _read_corners(statements: _Statements) -> tuple[np.ndarray, np.ndarray]:
    """Corners of each polygon (P,), and for every corner its vertex, texture and normal (C, 3) from 0 (-1: none)."""
    lengths, given = _read_alike(statements.faces) or _read_unlike(statements)
    corners = np.zeros((len(given), 3), np.int64)
    corners[:, : given.shape[1]] = given
    if (corners < 0).any():
        # Counted back from the last one that stands before the face.
        at = np.repeat(statements.face_numbers, lengths)
        for column, word in enumerate(('v', 'vt', 'vn')):
            before = np.searchsorted(statements.numbers_of[word], at)
            corners[:, column] += np.where(corners[:, column] < 0, before + 1, 0)
    return lengths, corners - 1


def _read_alike(faces: list[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Corners and indices (C, 1 to 3) as they are given, fast; None if the faces do not all look like the first."""
    text = '\n'.join(faces)
    # Without the digits, all that look like 1/2/3 4/5/6 7/8/9 are the same.
    looks = set(text.encode().translate(None, b'-0123456789').split(b'\n'))
    words = looks.pop().decode().split(' ')
    parts = 1 + words[0].count('/')
    if looks or len(words) < 3 or parts > 3 or set(words) != {'/' * (parts - 1)}:
        return None
    try:
        table = np.loadtxt(text.replace('//', '/0/').replace('/', ' ').split('\n'), np.int64, ndmin=2)
    except (ValueError, OverflowError):
        return None
    if table.shape[1] != len(words) * parts or (table[:, ::parts] == 0).any():
        return None
    return np.full(len(faces), len(words)), table.reshape(-1, parts)


def _read_unlike(statements: _Statements) -> tuple[np.ndarray, np.ndarray]:
    """The same word by word, indices (C, 3)."""
    faces = [face.split() for face in statements.faces]
    triples = [(word + '//').split('/')[:3] for face in faces for word in face]
    try:
        given = np.array([int(part or 0) for triple in triples for part in triple], np.int64).reshape(-1, 3)
        if (given[:, 0] == 0).any():
            raise ValueError
    except (ValueError, OverflowError):
        pairs = zip(statements.face_numbers, faces)
        number, face = next(pair for pair in pairs if not all(map(_is_corner, pair[1])))
        where = f'{os.fspath(statements.path)}, line {number}'
        raise bad_file(where, 'a face of vertices counted from 1', repr(' '.join(face)[:60]), _AGAIN) from None
    return np.array([len(face) for face in faces]), given


def _is_corner(word: str) -> bool:
    parts = word.split('/')
    try:
        return int(parts[0]) != 0 and all(-(2**62) < int(part or 0) < 2**62 for part in parts[:3])
    except ValueError:
        return False


def _color_corners(
    statements: _Statements, materials: dict[str, Material], lengths: np.ndarray, corners: np.ndarray
) -> np.ndarray:
    """Colours (C, 3) uint8 of all corners, white where there is no material."""
    colors = np.full((len(corners), 3), 255, np.uint8)
    places = statements.numbers('vt')[:, :2] if statements.lines['vt'] else np.zeros((0, 2))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ends = [first for _, first in statements.uses[1:]] + [len(lengths)]
    for (name, first), last in zip(statements.uses, ends):
        if name not in materials:
            continue
        part = slice(starts[first], starts[last])
        colors[part] = materials[name].color
        place, texture = corners[part, 1], materials[name].texture
        if texture is not None and len(place) and place.min() >= 0 and place.max() < len(places):
            u, v = places[place].T
            if np.isfinite(u).all() and np.isfinite(v).all():
                colors[part] = sample_texture(texture, u, 1 - v)
    return colors


def _split(parts: dict[str, Any], colors: np.ndarray) -> None:
    """Make one vertex for each colour that meets in a vertex; ``colors`` (F, 3, 3) are those of the corners."""
    bits = colors.astype(np.int64)
    keys = parts['faces'] << 24 | bits[..., 0] << 16 | bits[..., 1] << 8 | bits[..., 2]
    kept, renumbered = np.unique(keys, return_inverse=True)
    for key in parts.keys() & {'points', 'normals'}:
        parts[key] = parts[key][kept >> 24]
    parts['faces'] = renumbered.reshape(-1, 3)
    parts['colors'] = np.stack([kept >> shift & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)
