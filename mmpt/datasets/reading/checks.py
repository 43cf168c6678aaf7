"""What every reader checks before it decodes: that there is a file, that it is no stand-in, that its claims fit it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ['bad_file', 'check_claim', 'claim_limit', 'describe', 'read_bytes', 'read_head']

# What a header may ask for: 2 GiB, or 20 times the bytes of the file where that is more. Compressed clouds and voxels
# stay far below; a zip bomb, a thousand times its file, does not.
FREE_BYTES = 2 << 30
EXPANSION = 20

_KINDS = {
    b'\x93NUMPY': 'a .npy array',
    b'PK\x03\x04': 'a zip archive (or .npz)',
    b'\x89HDF': 'an HDF5 file',
    b'\x89PNG': 'a PNG picture',
    b'\xff\xd8\xff': 'a JPEG picture',
    b'\x1f\x8b': 'a gzip file (unpack it)',
    b'7z\xbc\xaf': 'a 7z archive (unpack it)',
    b'ply': 'a .ply file',
    b'glTF': 'a .glb file',
    b'# .PCD': 'a .pcd file',
    b'%PDF': 'a PDF document',
}


def bad_file(path: str | os.PathLike, expected: str, found: str, remedy: str) -> ValueError:
    """The error of a file that is not what it should be, in one sentence; to be raised by the caller.

    Args:
        path (str | PathLike): the file.
        expected (str): what it should hold.
        found (str): what came instead.
        remedy (str): what the user can do.
    """
    sentence = f'{os.fspath(path)}: expected {expected}, got {found}; {remedy}.'
    return ValueError(' '.join(sentence.split()))


def describe(head: bytes) -> str:
    """Say in words what a file looks like by its first bytes."""
    for magic, kind in _KINDS.items():
        if head.startswith(magic):
            return kind
    start = head[:16]
    if start and all(32 <= byte < 127 or byte in b'\t\r\n' for byte in start):
        return f'text that begins with {start.decode("ascii").splitlines()[0]!r}'
    return f'bytes that begin with {start!r}'


def read_head(path: str | os.PathLike, expected: str) -> tuple[bytes, int]:
    """Look at the first 512 bytes of a file, and refuse what only stands in for it.

    Args:
        path (str | PathLike): the file.
        expected (str): what it should hold, for the error.

    Returns:
        tuple[bytes, int]: the first bytes, and the size of the file in bytes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a folder or a device, an empty file, a Git LFS pointer, or a web page.
    """
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(
            f'{Path(path).absolute()} does not exist, expected {expected}; complete the data set or correct the path.'
        ) from error
    if not stat.S_ISREG(info.st_mode):
        kind = 'a folder' if stat.S_ISDIR(info.st_mode) else 'no regular file'
        raise bad_file(path, expected, kind, 'give the path of a file')
    if info.st_size == 0:
        raise bad_file(path, expected, 'an empty file', 'copy or download it again')
    with open(path, 'rb') as file:
        head = file.read(512)
    if head.startswith(b'version https://git-lfs'):
        raise bad_file(path, expected, 'a Git LFS pointer, which stands for the file', 'run `git lfs pull` there')
    if head.lstrip().lower().startswith((b'<!doctype', b'<html')):
        raise bad_file(path, expected, 'a web page (HTML)', 'the download failed, so fetch the file itself again')
    return head, info.st_size


def read_bytes(path: str | os.PathLike, expected: str) -> bytes:
    """The whole content of a file that :func:`read_head` lets through."""
    read_head(path, expected)
    with open(path, 'rb') as file:
        return file.read()


def claim_limit(size: int) -> int:
    """How many bytes a header may ask for in a file of so many."""
    return max(FREE_BYTES, EXPANSION * size)


def check_claim(path: str | os.PathLike, expected: str, claimed: int, size: int) -> None:
    """Refuse a header that asks for far more memory than its file can stand for.

    Args:
        path (str | PathLike): the file.
        expected (str): what it should hold, for the error.
        claimed (int): bytes that the header asks for.
        size (int): bytes of the file.

    Raises:
        ValueError: more than 2 GiB and more than 20 times the file.
    """
    if claimed > claim_limit(size):
        raise bad_file(
            path,
            expected,
            f'a header that claims {claimed:,} bytes in a file of {size:,}',
            'it is damaged or made to exhaust the memory, so write it again, in parts if it is really so large',
        )
