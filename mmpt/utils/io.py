"""Files that are either the old one or the new one, never half of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mmengine.dist import get_rank
from mmengine.fileio import LocalBackend, register_backend

__all__ = ['AtomicLocalBackend', 'atomic_write', 'remove_leftovers']

_SUFFIX = '.writing'


def atomic_write(data: bytes, path: str | Path) -> None:
    """Write a file so that a crash, a full disk or a power cut leaves either the old content or the new.

    All ranks of a run may write the same file at once, as mmengine's LoggerHook does after a test loop: the last stays.

    Args:
        data (bytes): the content.
        path (str | Path): where to; its folder is made where it is missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name that the next attempt writes over, should this one be killed; but not that of another rank.
    rank = get_rank()
    temporary = path.with_name(f'.{path.name}{f".{rank}" if rank else ""}{_SUFFIX}')
    try:
        with open(temporary, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files that a killed process left in a folder."""
    for temporary in Path(folder).glob(f'.*{_SUFFIX}'):
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written atomically.

    It takes the place of ``LocalBackend``, because ``Runner.save_checkpoint`` offers no other way in.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes."""
        atomic_write(obj, filepath)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text."""
        atomic_write(obj.encode(encoding), filepath)


register_backend('local', AtomicLocalBackend, force=True, prefixes='')
