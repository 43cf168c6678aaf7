"""What LiDAR data sets share: sweeps in raw binary files, poses, boxes."""

from __future__ import annotations

import os

import numpy as np

from .reading.checks import bad_file, read_bytes

__all__ = ['box_corners', 'pose_matrix', 'read_rows', 'rotation_of']


def read_rows(path: str | os.PathLike[str], columns: int, what: str, dtype: type = np.float32) -> np.ndarray:
    """Read a binary file of numbers without a header, row by row.

    Args:
        path (str): the file.
        columns (int): numbers in a row.
        what (str): what a row is, such as "x y z intensity".
        dtype (type): type of a number, little-endian.

    Returns:
        ndarray: (N, columns) of ``dtype``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, ends within a row (the download broke off), or holds NaN or infinity.
    """
    row, expected = columns * np.dtype(dtype).itemsize, f'rows of {what}'
    data = read_bytes(path, expected)
    if len(data) % row:
        found = f'{len(data)} bytes, no multiple of the {row} of a row'
        raise bad_file(path, expected, found, 'the file is cut off or of another kind: get it again')
    rows = np.frombuffer(data, np.dtype(dtype).newbyteorder('<')).reshape(-1, columns).astype(dtype)
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).sum())
        raise bad_file(path, expected, f'NaN or infinity in {bad} of {len(rows)}', 'the file is damaged: get it again')
    return rows


def rotation_of(quaternion: np.ndarray) -> np.ndarray:
    """The rotation of unit quaternions.

    Args:
        quaternion (ndarray): (..., 4), the real part first: w, x, y, z. Rounding of the length is put right.

    Returns:
        ndarray: (..., 3, 3) float64, for columns: ``rotation @ vector``.
    """
    quaternion = np.asarray(quaternion, np.float64)
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def pose_matrix(translation: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """Poses as matrices that take points of the inner frame to the outer one.

    Args:
        translation (ndarray): (..., 3), where the inner origin is in the outer frame, metres.
        quaternion (ndarray): (..., 4), w x y z.

    Returns:
        ndarray: (..., 4, 4) float64.
    """
    translation = np.asarray(translation, np.float64)
    matrix = np.zeros((*translation.shape[:-1], 4, 4))
    matrix[..., :3, :3], matrix[..., :3, 3], matrix[..., 3, 3] = rotation_of(quaternion), translation, 1
    return matrix


def box_corners(boxes: np.ndarray) -> np.ndarray:
    """The corners of boxes, as in ``boxes`` of a sample.

    Args:
        boxes (ndarray): (K, 7): centre x y z, size along the box's own x y z (metres), yaw about z (radians, from +x
            to +y).

    Returns:
        ndarray: (K, 8, 3) float64; corner 4 i + 2 j + k lies at the low (0) or high (1) end of x, y and z.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    ends = np.indices((2, 2, 2)).reshape(3, 8).T - 0.5
    local = ends * boxes[:, None, 3:6]
    cosine, sine = np.cos(boxes[:, 6, None]), np.sin(boxes[:, 6, None])
    x = cosine * local[..., 0] - sine * local[..., 1]
    y = sine * local[..., 0] + cosine * local[..., 1]
    return np.stack([x, y, local[..., 2]], axis=-1) + boxes[:, None, :3]
