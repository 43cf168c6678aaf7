"""Arrays of numbers in .npy, .npz and HDF5 files, and JSON."""

from __future__ import annotations

import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from .checks import bad_file, check_claim, describe, read_head

__all__ = ['read_h5', 'read_json', 'read_npy', 'read_npz']

_NPY = 'a plain .npy array of numbers'
_AGAIN = 'copy or download it again'


def read_npy(path: str | os.PathLike) -> np.ndarray:
    """Read a .npy file of numbers.

    Args:
        path (str | PathLike): the file.

    Returns:
        np.ndarray: of the file's shape and type, C-contiguous, in the byte order of this machine.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another kind of file, an array of objects, text or records, or fewer bytes than its header claims.
    """
    head, size = read_head(path, _NPY)
    if not head.startswith(b'\x93NUMPY'):
        raise bad_file(path, _NPY, describe(head), 'write it with numpy.save')
    with open(path, 'rb') as file:
        return _read_array(file, size, path, _NPY, 'biuf')


def read_npz(
    path: str | os.PathLike, names: Sequence[str] | None = None, optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read arrays of numbers or of text from a .npz file.

    Args:
        path (str | PathLike): the file.
        names (Sequence[str] | None): the arrays to read, all of which must be there; None for everything.
        optional (Sequence[str]): arrays to read beside ``names`` where they are there.

    Returns:
        dict[str, np.ndarray]: as :func:`read_npy` gives them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a .npz file, damaged, an array missing or of objects, or a content that is more than 2 GiB and
            more than 20 times the file (a zip bomb).
    """
    expected = 'a .npz file of plain arrays'
    if names is not None:
        expected += f' ({", ".join(names)})'
    head, size = read_head(path, expected)
    if not head.startswith(b'PK'):
        raise bad_file(path, expected, describe(head), 'write it with numpy.savez')
    try:
        with zipfile.ZipFile(path) as archive:
            inside = {info.filename.removesuffix('.npy'): info for info in archive.infolist()}
            missing = [name for name in names or () if name not in inside]
            if missing:
                have = ', '.join(inside) or 'nothing'
                raise bad_file(path, expected, f'no {missing[0]!r} among {have}', 'choose the right file or version')
            wanted = inside if names is None else [*names, *(name for name in optional if name in inside)]
            chosen = {name: inside[name] for name in wanted}
            check_claim(path, expected, sum(info.file_size for info in chosen.values()), size)
            arrays = {}
            for name, info in chosen.items():
                with archive.open(info) as file:
                    arrays[name] = _read_array(file, info.file_size, f'{path}, {name!r}', expected, 'biufUS')
            return arrays
    # UnicodeDecodeError for a name, struct.error for a field, RuntimeError for a password.
    except (zipfile.BadZipFile, zlib.error, struct.error, UnicodeDecodeError, EOFError, RuntimeError, OSError) as error:
        raise bad_file(path, expected, f'a damaged archive ({error})', _AGAIN) from error


def _read_array(file: IO[bytes], size: int, where: str | os.PathLike, expected: str, kinds: str) -> np.ndarray:
    """Read an array from an open file whose size is known: nothing is allocated before the bytes are known to exist."""
    try:
        version = np.lib.format.read_magic(file)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = reader(file)
    # The header is a literal of Python, which can be wrong in many ways, and version 3 is for records alone.
    except Exception as error:
        raise bad_file(where, expected, f'a header that cannot be read ({error})', _AGAIN) from error
    if dtype.kind not in kinds:
        kind = {'O': 'pickled objects', 'V': 'records'}.get(dtype.kind, f'numbers of the type {dtype}')
        raise bad_file(where, expected, kind, 'write it again as plain numbers, nothing in it is run')
    if not all(type(length) is int and 0 <= length < 1 << 48 for length in shape):
        raise bad_file(where, expected, f'a header that claims the shape {shape}', _AGAIN)
    wanted, left = math.prod(shape) * dtype.itemsize, size - file.tell()
    if wanted > left:
        found = f'{left:,} bytes where the header claims {wanted:,} for {shape}'
        raise bad_file(where, expected, found, f'the file is cut off, so {_AGAIN}')
    data = bytearray(wanted)
    read = file.readinto(data)
    if read != wanted:
        raise bad_file(where, expected, f'{read:,} of {wanted:,} bytes', f'the file is cut off, so {_AGAIN}')
    array = np.frombuffer(data, dtype) if wanted else np.zeros(math.prod(shape), dtype)
    array = array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    return np.ascontiguousarray(array, dtype.newbyteorder('=')).reshape(shape)


def read_h5(path: str | os.PathLike, shapes: dict[str, tuple[int | None, ...]]) -> dict[str, np.ndarray]:
    """Read arrays of numbers from an HDF5 file.

    Args:
        path (str | PathLike): the file.
        shapes (dict[str, tuple[int | None, ...]]): for every array to read its shape, None for a length that may be
            anything.

    Returns:
        dict[str, np.ndarray]: the arrays of ``shapes``, in the types of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not an HDF5 file, cut off, an array missing, of another shape, not of numbers, stored in another
            file, or of more than 2 GiB and more than 20 times the file.
    """
    import h5py

    expected = f'an HDF5 file with {", ".join(f"{name} {_say(shape)}" for name, shape in shapes.items())}'
    head, size = read_head(path, expected)
    if not head.startswith(b'\x89HDF\r\n\x1a\n'):
        raise bad_file(path, expected, describe(head), _AGAIN)
    try:
        with h5py.File(path, 'r') as file:
            found = [_find_h5(file, name, shape, path, expected) for name, shape in shapes.items()]
            # A chunk is unpacked as a whole, and may be larger than what is used of it.
            claims = [max(data.nbytes, math.prod(data.chunks or ()) * data.dtype.itemsize) for data in found]
            check_claim(path, expected, sum(claims), size)
            return {name: data[()] for name, data in zip(shapes, found)}
    # h5py raises these for what the library refuses, in words of the library.
    except (OSError, KeyError, RuntimeError, TypeError) as error:
        raise bad_file(path, expected, f'a damaged or cut off file ({error})', _AGAIN) from error


def _say(shape: Sequence[int | None]) -> str:
    return f'({", ".join("any" if length is None else str(length) for length in shape)})'


def _find_h5(file: Any, name: str, shape: tuple[int | None, ...], path: str | os.PathLike, expected: str) -> Any:
    import h5py

    link = file.get(name, getlink=True)
    if link is None:
        have = ', '.join(file) or 'nothing'
        raise bad_file(path, expected, f'no {name!r} among {have}', 'choose the right file or version')
    # A link into another file is not followed, not even to look.
    data = None if isinstance(link, h5py.ExternalLink) else file[name]
    if data is None or (isinstance(data, h5py.Dataset) and (data.external or data.is_virtual)):
        raise bad_file(path, expected, f'{name!r} in another file that it points to', 'copy the data into this file')
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in 'biuf' or data.shape is None:
        kind = f'of the type {data.dtype}' if isinstance(data, h5py.Dataset) else 'a group'
        raise bad_file(path, expected, f'{name!r} {kind}, not an array of numbers', 'choose the right file or version')
    if len(data.shape) != len(shape) or any(want not in (None, have) for want, have in zip(shape, data.shape)):
        raise bad_file(path, expected, f'{name!r} {_say(data.shape)}', 'choose the right file or version')
    return data


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Args:
        path (str | PathLike): the file, UTF-8.

    Returns:
        object: what it holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not JSON, or not UTF-8.
    """
    read_head(path, 'JSON')
    try:
        with open(path, encoding='utf-8-sig') as file:
            return json.load(file)
    except (ValueError, RecursionError) as error:
        raise bad_file(path, 'JSON', f'something else ({error})', 'correct it or download it again') from error
