"""Pictures as RGB on white."""

from __future__ import annotations

import io
import os

import numpy as np

from .checks import bad_file, describe, read_bytes

__all__ = ['read_image']

_EXPECTED = 'an 8-bit picture'
# 8192 x 8192: some 270 MB while it is decoded.
MAX_PIXELS = 2**26


def read_image(source: str | os.PathLike | bytes) -> np.ndarray:
    """Read a picture; transparent pixels are laid on white, grey ones become RGB.

    Args:
        source (str | PathLike | bytes): a file, or the content of one.

    Returns:
        np.ndarray: (H, W, 3) uint8 RGB. The turn that a camera notes in EXIF is not applied.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a picture, cut off, not of 8 bits a channel, or of more than 2**26 pixels.
    """
    import cv2

    if isinstance(source, (bytes, bytearray)):
        name, data = f'a picture of {len(source):,} bytes in memory', bytes(source)
    else:
        name, data = os.fspath(source), read_bytes(source, _EXPECTED)
    width, height = _size(name, data)
    if width * height > MAX_PIXELS:
        found = f'one of {width} x {height} pixels'
        raise bad_file(name, f'{_EXPECTED} of at most {MAX_PIXELS:,} pixels', found, 'make it smaller')
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    # A size that OpenCV reads in another way than Pillow.
    except cv2.error:
        image = None
    # Some decoders fill up a JPEG that is cut off: behind the start of its last scan there has to be an end.
    cut = data.startswith(b'\xff\xd8') and data.rfind(b'\xff\xd9') < data.rfind(b'\xff\xda')
    if image is None or cut:
        raise bad_file(
            name,
            _EXPECTED,
            'one that is damaged or cut off',
            'copy it again, or delete it (the sample is then taken without it)',
        )
    if image.dtype != np.uint8:
        raise bad_file(name, _EXPECTED, f'pixels of the type {image.dtype}', 'save it with 8 bits a channel')
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if image.shape[2] == 2:
        grey, alpha = image[:, :, :1].repeat(3, axis=2), image[:, :, 1:]
        return _on_white(grey, alpha)
    rgb = image[:, :, 2::-1]
    return np.ascontiguousarray(rgb) if image.shape[2] == 3 else _on_white(rgb, image[:, :, 3:])


def _size(name: str, data: bytes) -> tuple[int, int]:
    """Width and height, from the header alone."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except Image.DecompressionBombError as error:
        raise bad_file(name, f'{_EXPECTED} of at most {MAX_PIXELS:,} pixels', 'far more', 'make it smaller') from error
    # Too many kinds to list: every format of the library has errors of its own.
    except Exception as error:
        raise bad_file(
            name,
            _EXPECTED,
            f'nothing that can be read, but {describe(data[:64])}',
            'write it again, or delete it (the sample is then taken without it)',
        ) from error


def _on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha.astype(np.float32) / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)
