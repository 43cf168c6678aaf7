"""Pickles of plain data, read without running anything that a pickle asks for."""

from __future__ import annotations

import math
import mmap
import os
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .checks import bad_file, describe, read_head

__all__ = ['read_pickle']

_EXPECTED = 'a pickle of plain containers, numbers, text and arrays of these'
_REMEDY = 'nothing in it was run; convert it where you trust it, for example to .npz'
_DTYPE = re.compile(r'[<>|=]?(b1|[iu][1248]|f[248]|[US][1-9]\d{0,5})')
_MAX_DEPTH = 64


def read_pickle(path: str | os.PathLike) -> Any:
    """Read a pickle that holds nothing but data.

    What a pickle may name is looked up in a table of stand-ins of ours, never imported, so that no call in it reaches
    code; opcodes are read through beforehand, so that no length or index in it asks for memory that the file does not
    fill. Reads what numpy and the standard library wrote in protocols 0 to 5, also under Python 2 (whose text is taken
    as latin-1).

    Args:
        path (str | PathLike): the file.

    Returns:
        object: None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset and ndarray of numbers or
        of text, nested. Scalars of numpy become those of Python.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the pickle is damaged, or names anything else.
    """
    head, size = read_head(path, _EXPECTED)
    try:
        with open(path, 'rb') as file:
            # Reading from a map gives what there is; from a file, Python would set aside what is asked for.
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                _scan(mapped, size)
            loaded = _Unpickler(file, encoding='latin1').load()
        return _plain(loaded, {}, 0)
    except _Refused as error:
        raise bad_file(path, _EXPECTED, str(error), _REMEDY) from error
    # A damaged pickle can fail in any way that a wrong argument can.
    except Exception as error:
        found = f'a damaged file ({type(error).__name__}: {error}), {describe(head)}'
        raise bad_file(path, _EXPECTED, found, 'copy or download it again') from error


class _Refused(Exception):
    """What a pickle asks for and does not get."""


def _scan(file: Any, size: int) -> None:
    """Read all opcodes without obeying them: lengths must fit the file, and memory is asked for in small steps only."""
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name == 'GLOBAL' and tuple(argument.split(' ', 1)) not in _ALLOWED:
            raise _Refused(f'the name {argument.replace(" ", ".")!r}')
        if opcode.name.startswith('EXT'):
            raise _Refused('a name by number')
        if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and argument > number + 256:
            raise _Refused(f'a table of {argument:,} entries')
        if opcode.name == 'FRAME' and argument > size:
            raise ValueError(f'a frame of {argument:,} bytes in a file of {size:,}')


class _StandIn:
    """What a name of the table is while the pickle is read; nothing can be hung on it, and it is no class."""

    __slots__ = ('make', 'name')

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self.name, self.make = name, make

    def __call__(self, *args: Any) -> Any:
        try:
            return self.make(*args)
        except (TypeError, ValueError, AttributeError) as error:
            raise _Refused(f'a call of {self.name} with strange arguments') from error

    def __setstate__(self, state: Any) -> None:
        raise _Refused(f'a state for {self.name}')


class _Type:
    """A numpy.dtype that is being put together."""

    __slots__ = ('code', 'order')

    def __init__(self, code: str, *rest: Any) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code) or any(flag not in (0, 1) for flag in rest):
            raise _Refused(f'numbers of the type {code!r}')
        self.code, self.order = code.lstrip('<>|='), code[0] if code[0] in '<>' else '='

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            raise _Refused('an array of records')
        if state[1] not in ('<', '>', '=', '|'):
            raise _Refused('a strange byte order')
        self.order = state[1] if state[1] in '<>' else '='

    def finish(self) -> np.dtype:
        return np.dtype(self.order + self.code)


class _Array:
    """A numpy.ndarray that is being put together."""

    __slots__ = ('array',)

    def __init__(self, array: np.ndarray | None = None) -> None:
        self.array = array

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise _Refused('a strange array')
        shape, dtype, fortran, data = state[-4:]
        self.array = _make_array(shape, dtype, bool(fortran), data)


def _make_array(shape: Any, dtype: Any, fortran: bool, data: Any) -> np.ndarray:
    """Check what a pickle says of an array, then make it, around the bytes where numpy can."""
    if not isinstance(dtype, _Type):
        raise _Refused('an array of no known type')
    if isinstance(data, list):
        raise _Refused('an array of objects')
    if isinstance(data, str):
        data = data.encode('latin1')
    if not isinstance(data, (bytes, bytearray)) or not isinstance(shape, tuple):
        raise _Refused('an array without data')
    real = dtype.finish()
    if not all(type(length) is int and length >= 0 for length in shape):
        raise _Refused('an array of a strange shape')
    if math.prod(shape) * real.itemsize != len(data):
        raise _Refused(f'{len(data):,} bytes for an array {shape} of {real}')
    array = np.ndarray.__new__(np.ndarray, (0,), 'b')
    # Keeps large data where they are instead of copying them.
    array.__setstate__((1, shape, real, fortran, bytes(data)))
    return np.ascontiguousarray(array, real.newbyteorder('=')).reshape(shape)


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if not isinstance(kind, _StandIn) or kind.name != 'numpy.ndarray' or shape != (0,):
        raise _Refused('a strange array')
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any = 'C') -> _Array:
    if order not in ('C', 'F'):
        raise _Refused('a strange array')
    return _Array(_make_array(shape, dtype, order == 'F', data))


def _scalar(dtype: Any, data: Any) -> Any:
    return _make_array((), dtype, False, data).item()


def _encode(text: Any, encoding: Any = 'latin1') -> bytes:
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
        raise _Refused('bytes in a strange encoding')
    return text.encode('latin1')


def _bytes(*args: Any) -> bytes:
    # An integer would ask for so many zeros.
    if not all(isinstance(arg, (str, bytes)) for arg in args) or len(args) > 2:
        raise _Refused('bytes of a strange kind')
    return _encode(*args) if args and isinstance(args[0], str) else b''.join(args)


def _set(*args: Any) -> list:
    if len(args) > 1 or not all(isinstance(arg, (list, tuple)) for arg in args):
        raise _Refused('a strange set')
    return [item for arg in args for item in arg]


def _no_call(*args: Any) -> Any:
    raise _Refused('a call that makes an array by hand')


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ('numpy', 'ndarray'): _no_call,
    ('numpy', 'dtype'): _Type,
    ('_codecs', 'encode'): _encode,
}
for _package in ('numpy.core', 'numpy._core'):
    _ALLOWED[f'{_package}.multiarray', '_reconstruct'] = _reconstruct
    _ALLOWED[f'{_package}.multiarray', 'scalar'] = _scalar
    _ALLOWED[f'{_package}.numeric', '_frombuffer'] = _from_buffer
for _package in ('builtins', '__builtin__'):
    _ALLOWED[_package, 'bytes'] = _ALLOWED[_package, 'bytearray'] = _bytes
    _ALLOWED[_package, 'set'] = lambda *args: set(_set(*args))
    _ALLOWED[_package, 'frozenset'] = lambda *args: frozenset(_set(*args))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _StandIn:
        if (module, name) not in _ALLOWED:
            raise _Refused(f'the name {f"{module}.{name}"!r}')
        return _StandIn(f'{module}.{name}', _ALLOWED[module, name])

    def persistent_load(self, key: Any) -> Any:
        raise _Refused('a reference to something outside of it')


def _plain(value: Any, seen: dict[int, Any], depth: int) -> Any:
    """Replace what was put together by what it became, and refuse what was left unfinished."""
    if depth > _MAX_DEPTH:
        raise _Refused(f'containers nested more than {_MAX_DEPTH} deep')
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, _Array) and value.array is not None:
        return value.array
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, list):
        seen[id(value)] = made = []
        made.extend(_plain(item, seen, depth + 1) for item in value)
        return made
    if isinstance(value, dict):
        seen[id(value)] = made = {}
        made.update((_plain(k, seen, depth + 1), _plain(v, seen, depth + 1)) for k, v in value.items())
        return made
    if isinstance(value, (tuple, set, frozenset)):
        made = type(value)(_plain(item, seen, depth + 1) for item in value)
        seen[id(value)] = made
        return made
    raise _Refused('something that is no data')
