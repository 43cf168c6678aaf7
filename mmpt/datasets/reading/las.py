"""LAS, the exchange format of airborne laser scanning, through laspy."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .checks import bad_file, describe, read_head

__all__ = ['read_las']

_EXPECTED = 'a .las file'


def read_las(path: str | os.PathLike) -> dict[str, Any]:
    """Read the points of a LAS file.

    Args:
        path (str | PathLike): the file.

    Returns:
        dict: points (N, 3) float64 in the units of the file; colors (N, 3) uint16 where its point format has them; and
        extra with intensity and classification.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: laspy is not installed.
        ValueError: no LAS file, or one that is damaged or cut off.
    """
    head, size = read_head(path, _EXPECTED)
    if not head.startswith(b'LASF'):
        raise bad_file(path, _EXPECTED, describe(head), 'choose the suffix by what the file holds')
    try:
        import laspy
    except ImportError as error:
        raise ImportError(
            f'{os.fspath(path)} needs laspy, which is not installed; `pip install laspy`, or convert the file to .ply.'
        ) from error
    try:
        with laspy.open(os.fspath(path)) as reader:
            header = reader.header
            wanted = header.offset_to_point_data + header.point_count * header.point_format.size
            if wanted > size:
                raise ValueError(f'{size:,} bytes where the header claims {wanted:,}')
            las = reader.read()
        parts: dict[str, Any] = {'points': np.stack([np.asarray(las[name]) for name in 'xyz'], axis=1)}
        names = set(las.point_format.dimension_names)
        if {'red', 'green', 'blue'} <= names:
            parts['colors'] = np.stack([np.asarray(las[name]) for name in ('red', 'green', 'blue')], axis=1)
        wanted_names = [name for name in ('intensity', 'classification') if name in names]
        parts['extra'] = {name: np.asarray(las[name]) for name in wanted_names}
    # laspy has errors of its own, and damaged headers fail in struct and numpy as well.
    except Exception as error:
        raise bad_file(path, _EXPECTED, f'a damaged or cut off file ({error})', 'copy or download it again') from error
    return parts
