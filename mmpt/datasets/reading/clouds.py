"""A cloud or a mesh of any file, by its suffix."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .arrays import read_npy, read_npz
from .checks import bad_file
from .glb import read_glb
from .las import read_las
from .obj import read_obj
from .off import read_off, read_stl
from .pcd import read_pcd
from .ply import read_ply
from .text import read_rows

__all__ = ['CLOUD_SUFFIXES', 'Cloud', 'read_cloud']

# Where a coordinate is beyond the first and float32 has fewer than so many steps across the cloud, it is moved.
_FAR = 1e4
_STEPS = 1e4


class Cloud(NamedTuple):
    """A cloud, or a mesh, in the frame and the units of its file.

    Attributes:
        points (np.ndarray): (N, 3) float32, of a mesh its vertices; at least one, all finite.
        faces (np.ndarray | None): (F, 3) int64, the triangles of a mesh; None for a cloud.
        normals (np.ndarray | None): (N, 3) float32 as stored, finite.
        colors (np.ndarray | None): (N, 3) uint8 RGB.
        extra (dict[str, np.ndarray]): further numbers of every point by the name in the file, (N,) or (N, k).
        origin (np.ndarray | None): (3,) float64 to add to the points, where they lie so far from zero that float32
            would spoil them (map coordinates); else None.
    """

    points: np.ndarray
    faces: np.ndarray | None = None
    normals: np.ndarray | None = None
    colors: np.ndarray | None = None
    extra: dict[str, np.ndarray] = {}
    origin: np.ndarray | None = None


def read_cloud(path: str | os.PathLike, columns: Sequence[str] | None = None) -> Cloud:
    """Read a cloud or a mesh: .npy, .npz, .ply, .obj, .off, .stl, .glb, .pcd, .xyz, .txt, and .las with laspy.

    Polygons become triangles, colours 8-bit (from 0 to 1, 8 or 16 bits). In an .npz file the arrays are called points,
    normals, colors, faces; others with a row for each point become extra.

    Args:
        path (str | PathLike): the file.
        columns (Sequence[str] | None): for .npy, .txt and .xyz what the columns are: x, y, z, nx, ny, nz, r, g, b,
            others go into ``extra`` under their name, and '_' is passed over. None for x, y, z alone.

    Returns:
        Cloud: see there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown suffix, a damaged file, no points, a coordinate or a normal that is not finite, a face
            without its vertices, or columns that are not told.
        ImportError: an .las file, and laspy is not installed.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in _READERS:
        raise bad_file(
            path,
            f'a file of points or a mesh ({" ".join(CLOUD_SUFFIXES)})',
            f'the suffix {suffix!r}',
            'convert it or correct the path',
        )
    parts = _READERS[suffix](path)
    if isinstance(parts, np.ndarray):
        parts = _name_columns(parts, columns, path)
    return _finish(path, **parts)


def _read_npz(path: str | os.PathLike) -> dict[str, Any]:
    arrays = read_npz(path)
    if 'points' not in arrays:
        have = ', '.join(arrays) or 'nothing'
        raise bad_file(path, "an .npz file with the array 'points'", have, 'name the arrays so')
    parts: dict[str, Any] = {key: arrays.pop(key) for key in ('points', 'normals', 'colors', 'faces') if key in arrays}
    rows = parts['points'].shape[:1]
    parts['extra'] = {name: array for name, array in arrays.items() if array.ndim in (1, 2) and array.shape[:1] == rows}
    return parts


_READERS: dict[str, Callable[..., Any]] = {
    '.npy': read_npy,
    '.npz': _read_npz,
    '.ply': read_ply,
    '.obj': read_obj,
    '.off': read_off,
    '.stl': read_stl,
    '.glb': read_glb,
    '.pcd': read_pcd,
    '.xyz': read_rows,
    '.txt': read_rows,
    '.las': read_las,
}
CLOUD_SUFFIXES = tuple(_READERS)


def _name_columns(array: np.ndarray, columns: Sequence[str] | None, path: str | os.PathLike) -> dict[str, Any]:
    if array.ndim != 2 or array.shape[1] < 3:
        raise bad_file(path, 'an array (N, 3) or more columns', f'{array.shape}', 'write one row for each point')
    if columns is None and array.shape[1] != 3:
        raise bad_file(
            path,
            'three columns, x y z',
            f'{array.shape[1]} columns',
            "say what they are, for example columns=('x', 'y', 'z', 'nx', 'ny', 'nz') or with 'r', 'g', 'b', 'label'",
        )
    names = list(columns or 'xyz')
    if len(names) != array.shape[1]:
        raise bad_file(
            path, f'the {len(names)} columns {", ".join(names)}', f'{array.shape[1]}', 'set `columns` to what it holds'
        )
    used = [name for name in names if name != '_']
    if len(set(used)) < len(used) or not {'x', 'y', 'z'} <= set(used):
        raise ValueError(f'columns={names}: expected x, y and z among them and no name twice.')
    place = {name: column for column, name in enumerate(names) if name != '_'}
    parts: dict[str, Any] = {}
    for key, group in (('points', 'xyz'), ('normals', ('nx', 'ny', 'nz')), ('colors', 'rgb')):
        if all(name in place for name in group):
            parts[key] = array[:, [place.pop(name) for name in group]]
    parts['extra'] = {name: array[:, column] for name, column in place.items()}
    return parts


def _finish(
    path: str | os.PathLike,
    points: np.ndarray,
    faces: np.ndarray | None = None,
    normals: np.ndarray | None = None,
    colors: np.ndarray | None = None,
    extra: dict[str, np.ndarray] | None = None,
) -> Cloud:
    """Check what a reader gave, and bring it to the types of :class:`Cloud`."""
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in 'fiu':
        raise bad_file(path, 'points (N, 3) of numbers', f'{points.shape} {points.dtype}', 'write the file again')
    if not len(points):
        raise bad_file(path, 'at least one point', 'an empty cloud', 'remove it from the list')
    for name, array in (('points', points), ('normals', normals)):
        if array is not None and not np.isfinite(array).all():
            count = int((~np.isfinite(array)).any(axis=1).sum())
            found = f'NaN or infinity in {count:,} of {len(array):,}'
            raise bad_file(path, f'finite {name}', found, 'repair the file or remove it from the list')
    for name, array in (('normals', normals), ('colors', colors)):
        if array is not None and array.shape != points.shape:
            found = f'{array.shape}'
            raise bad_file(path, f'{name} {points.shape}, one for each point', found, 'write the file again')
    if faces is not None and not len(faces):
        faces = None
    if faces is not None:
        if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in 'iu':
            raise bad_file(path, 'faces (F, 3) of integers', f'{faces.shape} {faces.dtype}', 'write the file again')
        low, high = int(faces.min()), int(faces.max())
        if low < 0 or high >= len(points):
            found = f'a face with vertex {low if low < 0 else high}'
            raise bad_file(path, f'faces of the vertices 0 to {len(points) - 1}', found, 'write the file again')
        faces = np.ascontiguousarray(faces, np.int64)
    with np.errstate(over='ignore'):
        points, origin = _to_float32(points)
    if not np.isfinite(points).all():
        raise bad_file(
            path, 'coordinates that fit 32 bits', 'larger ones', 'repair the file or remove it from the list'
        )
    return Cloud(
        points,
        faces,
        None if normals is None else np.ascontiguousarray(normals, np.float32),
        None if colors is None else _to_bytes(colors, path),
        {name: _own(array) for name, array in (extra or {}).items()},
        origin,
    )


def _own(array: np.ndarray) -> np.ndarray:
    """Contiguous, writable, and in the byte order of this machine."""
    return np.array(array, array.dtype.newbyteorder('='), order='C')


def _to_float32(points: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    far = float(np.abs(points).max())
    if points.dtype.itemsize > 4 and far > _FAR:
        low, high = points.min(axis=0), points.max(axis=0)
        if np.spacing(np.float32(far)) * _STEPS > float((high - low).max()):
            origin = np.floor(low).astype(np.float64)
            return (points - origin).astype(np.float32), origin
    return np.array(points, np.float32, order='C'), None


def _to_bytes(colors: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    """Colours from 0 to 1 (of a type with fractions), 8 or 16 bits, as 8 bits."""
    if colors.dtype == np.uint8:
        return np.array(colors, order='C')
    low, high = float(colors.min()), float(colors.max())
    if not (low >= 0 and high <= 65535):
        found = f'{low:g} to {high:g}'
        raise bad_file(path, 'colours from 0 to 1, to 255 or to 65535', found, 'write the file again')
    scale = 255 if high <= 1 and colors.dtype.kind == 'f' else 1 if high <= 255 else 1 / 257
    return np.rint(colors.astype(np.float64) * scale).astype(np.uint8)
