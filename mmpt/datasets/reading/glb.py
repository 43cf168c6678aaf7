"""glTF 2.0 in one binary file (.glb)."""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from .checks import bad_file, claim_limit, describe, read_bytes
from .images import read_image
from .materials import sample_texture

__all__ = ['read_glb']

_EXPECTED = 'a .glb file (glTF 2.0)'
_AGAIN = 'the file is damaged or cut off, so copy or download it again'
_TYPES = {5120: 'i1', 5121: 'u1', 5122: 'i2', 5123: 'u2', 5125: 'u4', 5126: 'f4'}
_WIDTHS = {'SCALAR': 1, 'VEC2': 2, 'VEC3': 3, 'VEC4': 4}
_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6
# Extensions that a file may insist on without changing where its surface is.
_HARMLESS = ('KHR_materials_', 'KHR_texture_', 'EXT_texture_', 'KHR_lights_', 'KHR_mesh_quantization')


class _Wrong(Exception):
    """What is wrong in the file, in words."""


def read_glb(path: str | os.PathLike) -> dict[str, Any]:
    """Read the meshes of the scene of a GLB file as one mesh in the frame of the scene.

    Colours are base colour, texture and vertex colours multiplied (without light), in sRGB. Skins and morphs stay in
    their pose of rest; lines are passed over, and so are points where there are triangles. Data in other files are not
    opened: a texture there is left out, geometry there is an error.

    Args:
        path (str | PathLike): the file.

    Returns:
        dict: points (V, 3) float64; where there are any, faces (F, 3) int64, normals (V, 3) and colors (V, 3) uint8.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no GLB file of version 2, cut off, inconsistent, or packed by an extension.
    """
    content = read_bytes(path, _EXPECTED)
    if not content.startswith(b'glTF'):
        raise bad_file(path, _EXPECTED, describe(content[:64]), 'choose the suffix by what the file holds')
    try:
        scene = _Scene(*_read_chunks(content))
        placed = list(scene.primitives())
        # One mesh can stand in many places, so that few bytes may ask for many vertices.
        claimed = sum(24 * scene.count(part) for _, part in placed)
        if claimed > claim_limit(len(content)):
            raise _Wrong(f'a scene that takes {claimed:,} bytes in a file of {len(content):,}')
        return _join([scene.read_primitive(part, matrix) for matrix, part in placed])
    except _Wrong as error:
        raise bad_file(path, _EXPECTED, str(error), 'copy it again, or export it again without that') from error
    # Everything in the JSON may be missing, of another type, or point to nowhere.
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, struct.error, RecursionError) as error:
        found = f'a content that contradicts itself ({type(error).__name__}: {error})'
        raise bad_file(path, _EXPECTED, found, _AGAIN) from error


def _read_chunks(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk."""
    _, version, length = struct.unpack_from('<4sII', content)
    if version != 2:
        raise _Wrong(f'version {version}')
    if length > len(content):
        raise _Wrong(f'{len(content):,} bytes where the header claims {length:,}, so it is cut off')
    chunks, at = {}, 12
    while at + 8 <= length:
        size, kind = struct.unpack_from('<I4s', content, at)
        if at + 8 + size > length:
            raise _Wrong(f'a part of {size:,} bytes behind which the file ends, so it is cut off')
        chunks.setdefault(kind, content[at + 8 : at + 8 + size])
        at += 8 + size
    try:
        tree = json.loads(chunks[b'JSON'].decode('utf-8'))
    except ValueError as error:
        raise _Wrong(f'a description that is no JSON ({error})') from error
    return tree, chunks.get(b'BIN\0', b'')


class _Scene:
    """The description of a file and its bytes."""

    def __init__(self, tree: dict[str, Any], binary: bytes) -> None:
        for name in tree.get('extensionsRequired', ()):
            if not name.startswith(_HARMLESS):
                raise _Wrong(f'data packed or placed by the extension {name}')
        self.tree, self.binary = tree, binary
        self.textures: dict[int, np.ndarray | None] = {}

    def primitives(self) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """Every primitive of points or triangles, with the matrix (4, 4) that takes it to the scene."""
        nodes = self.tree.get('nodes', [])
        children = {child for node in nodes for child in node.get('children', ())}
        roots = [index for index in range(len(nodes)) if index not in children]
        if self.tree.get('scenes'):
            roots = self.tree['scenes'][_natural(self.tree.get('scene', 0))].get('nodes', [])
        waiting, seen = [(index, np.eye(4)) for index in roots], set()
        while waiting:
            index, above = waiting.pop()
            if _natural(index) in seen:
                raise _Wrong(f'node {index} in two places')
            seen.add(index)
            matrix = above @ _node_matrix(nodes[index])
            waiting += [(child, matrix) for child in nodes[index].get('children', ())]
            if 'mesh' in nodes[index]:
                for primitive in self.tree['meshes'][_natural(nodes[index]['mesh'])]['primitives']:
                    if primitive.get('mode', _TRIANGLES) in (_POINTS, _TRIANGLES, _STRIP, _FAN):
                        yield matrix, primitive

    def count(self, primitive: dict[str, Any]) -> int:
        """How many vertices and indices a primitive asks for."""
        used = [primitive['attributes']['POSITION'], *(primitive[key] for key in ('indices',) if key in primitive)]
        return sum(_natural(self.accessor(index)['count']) for index in used)

    def read_primitive(self, primitive: dict[str, Any], matrix: np.ndarray) -> dict[str, Any]:
        """Points (V, 3), faces (F, 3), and normals and colours where it has them, in the frame of the scene."""
        attributes = primitive['attributes']
        points = self.read(attributes['POSITION'], 3)
        piece = {'points': points @ matrix[:3, :3].T + matrix[:3, 3], 'faces': np.zeros((0, 3), np.int64)}
        mode = primitive.get('mode', _TRIANGLES)
        if mode != _POINTS:
            order = np.arange(len(points))
            if 'indices' in primitive:
                order = self.read(primitive['indices'], 1, raw=True)[:, 0].astype(np.int64)
            if len(order) and order.max() >= len(points):
                raise _Wrong(f'a face with vertex {order.max()} of {len(points)}')
            piece['faces'] = _triangles(order, mode)
            if np.linalg.det(matrix[:3, :3]) < 0:
                piece['faces'] = piece['faces'][:, ::-1]
        if 'NORMAL' in attributes:
            # Up to its length the inverse transpose, and defined where there is no inverse as well.
            turned = self.read(attributes['NORMAL'], 3) @ _cofactors(matrix[:3, :3]).T
            piece['normals'] = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-30)
        colors = self._read_colors(primitive, len(points))
        if colors is not None:
            piece['colors'] = colors
        for name, array in piece.items():
            if name != 'faces' and len(array) != len(points):
                raise _Wrong(f'{len(array)} {name} for {len(points)} points')
        return piece

    def accessor(self, index: int) -> dict[str, Any]:
        """The description of an array."""
        return self.tree['accessors'][_natural(index)]

    def read(self, index: int, width: int | None = None, raw: bool = False) -> np.ndarray:
        """An accessor as (count, width): float64, or the integers of the file where ``raw``."""
        accessor = self.accessor(index)
        if 'sparse' in accessor or 'bufferView' not in accessor:
            raise _Wrong('data that are sparse or missing')
        kind, columns = np.dtype('<' + _TYPES[accessor['componentType']]), _WIDTHS[accessor['type']]
        if (width is not None and columns != width) or (raw and kind.kind != 'u'):
            raise _Wrong(f'an accessor of {accessor["type"]} {kind} in the wrong place')
        view, step = self._view(accessor['bufferView'])
        count, start, size = (
            _natural(accessor['count']),
            _natural(accessor.get('byteOffset', 0)),
            columns * kind.itemsize,
        )
        step = step or size
        if count and start + (count - 1) * step + size > len(view):
            raise _Wrong(f'{len(view):,} bytes for {count:,} entries of {size}')
        array = np.ndarray((count, columns), kind, view if count else b'', start, (step, kind.itemsize))
        if raw:
            return array
        scale = float(np.iinfo(kind).max) if accessor.get('normalized') and kind.kind != 'f' else 1.0
        return np.maximum(array.astype(np.float64) / scale, -1) if scale != 1 else array.astype(np.float64)

    def _view(self, index: int) -> tuple[memoryview, int]:
        """The bytes of a view, and the distance between entries (0: none between them)."""
        view = self.tree['bufferViews'][_natural(index)]
        buffer = self.tree['buffers'][_natural(view['buffer'])]
        if 'uri' in buffer:
            data = _data_uri(buffer['uri'])
            if data is None:
                raise _Wrong(f'geometry in another file ({buffer["uri"][:60]!r})')
        else:
            data = self.binary
        start, size = _natural(view.get('byteOffset', 0)), _natural(view['byteLength'])
        if start + size > len(data):
            raise _Wrong(f'{len(data):,} bytes where a view ends at {start + size:,}')
        return memoryview(data)[start : start + size], _natural(view.get('byteStride', 0))

    def _read_colors(self, primitive: dict[str, Any], count: int) -> np.ndarray | None:
        """Colours (V, 3) uint8 sRGB; None where neither the vertices nor the material have any."""
        attributes, linear = primitive['attributes'], np.ones((count, 3))
        surface = None
        if 'material' in primitive:
            surface = self.tree['materials'][_natural(primitive['material'])].get('pbrMetallicRoughness', {})
            linear = linear * np.array(surface.get('baseColorFactor', [1.0] * 4), np.float64)[:3]
        if surface and 'baseColorTexture' in surface:
            place = f'TEXCOORD_{surface["baseColorTexture"].get("texCoord", 0)}'
            texture = self._texture(_natural(surface['baseColorTexture']['index']))
            if texture is not None and place in attributes:
                u, v = self.read(attributes[place], 2).T
                if np.isfinite(u).all() and np.isfinite(v).all():
                    linear = linear * _to_linear(sample_texture(texture, u, v))
        if 'COLOR_0' in attributes:
            linear = linear * self.read(attributes['COLOR_0'])[:, :3]
        elif surface is None:
            return None
        return _to_srgb(linear)

    def _texture(self, index: int) -> np.ndarray | None:
        if index not in self.textures:
            image = self.tree['images'][_natural(self.tree['textures'][index].get('source', 0))]
            try:
                data = self._view(image['bufferView'])[0] if 'bufferView' in image else _data_uri(image.get('uri', ''))
                self.textures[index] = None if data is None else read_image(bytes(data))
            # Colours are an addition: the mesh comes without this texture.
            except (ValueError, _Wrong):
                self.textures[index] = None
        return self.textures[index]


def _natural(value: Any) -> int:
    """An index or a size; a negative one would count from the end."""
    if type(value) is not int or value < 0:
        raise _Wrong(f'{value!r} where a number from 0 is expected')
    return value


def _data_uri(uri: str) -> bytes | None:
    """The bytes that a data URI holds; None for an address elsewhere, which is never opened."""
    start, mark, data = uri.partition(';base64,')
    return base64.b64decode(data, validate=True) if start.startswith('data:') and mark else None


def _node_matrix(node: dict[str, Any]) -> np.ndarray:
    """The matrix of a node: 16 numbers column by column, or shift times rotation (x y z w) times scale."""
    if 'matrix' in node:
        matrix = np.array(node['matrix'], np.float64)
        if matrix.shape != (16,):
            raise _Wrong('a matrix that is none')
        return matrix.reshape(4, 4).T
    x, y, z, w = (float(value) for value in node.get('rotation', (0, 0, 0, 1)))
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= np.array(node.get('scale', (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get('translation', (0, 0, 0))
    return matrix


def _cofactors(m: np.ndarray) -> np.ndarray:
    return np.stack([np.cross(m[1], m[2]), np.cross(m[2], m[0]), np.cross(m[0], m[1])])


def _triangles(order: np.ndarray, mode: int) -> np.ndarray:
    """Faces (F, 3) of vertices that are listed as triangles, as a strip or as a fan."""
    if mode == _TRIANGLES:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    count = max(len(order) - 2, 0)
    step = np.arange(count)
    if mode == _FAN:
        return np.stack([order[step * 0], order[step + 1], order[step + 2]], axis=1)
    # Every second triangle of a strip is listed the other way round.
    odd = step % 2
    return np.stack([order[step], order[step + 1 + odd], order[step + 2 - odd]], axis=1)


def _to_linear(colors: np.ndarray) -> np.ndarray:
    """SRGB bytes as linear light from 0 to 1 (IEC 61966-2-1)."""
    value = colors / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    value = np.nan_to_num(linear).clip(0, 1)
    value = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.rint(value * 255).astype(np.uint8)


def _join(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    if any(len(piece['faces']) for piece in pieces):
        pieces = [piece for piece in pieces if len(piece['faces'])]
    if not pieces:
        raise _Wrong('no points and no triangles')
    shifts = np.cumsum([0] + [len(piece['points']) for piece in pieces])
    joined: dict[str, Any] = {'points': np.concatenate([piece['points'] for piece in pieces])}
    joined['faces'] = np.concatenate([piece['faces'] + shift for piece, shift in zip(pieces, shifts)])
    if all('normals' in piece for piece in pieces):
        joined['normals'] = np.concatenate([piece['normals'] for piece in pieces])
    if any('colors' in piece for piece in pieces):
        white = [np.full((len(piece['points']), 3), 255, np.uint8) for piece in pieces]
        joined['colors'] = np.concatenate([piece.get('colors', blank) for piece, blank in zip(pieces, white)])
    return joined
