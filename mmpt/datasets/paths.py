"""Places of a data set: what is missing, what leads out of it, what a list names."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

__all__ = ['inside', 'need_file', 'need_folder', 'read_lines']


def need_folder(path: str | os.PathLike[str], layout: str, who: str, source: str) -> Path:
    """Say what is expected where, if a folder is not there.

    Args:
        path (str): the folder.
        layout (str): what it should hold.
        who (str): who asks, such as "`data_root` of ModelNet".
        source (str): the sentence on where the data come from and which generated twin needs no download.

    Returns:
        Path: the folder.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(
            f'{path.absolute()} is not a folder ({who}), expected in it {layout}{_packed_beside(path)}. {source}'
        )
    return path


def _packed_beside(path: Path) -> str:
    """The clause for a root that tools/dataset_converters/pack.py wrote, where raw files are looked for."""
    found = next((root for root in path.parents[:2] if next(root.glob('*/pack.json'), None)), None)
    return f'; {found} holds packed data, which packed=True reads' if found else ''


def need_file(path: str | os.PathLike[str], what: str, who: str, source: str) -> Path:
    """The same for a file.

    Args:
        path (str): the file.
        what (str): what it is, such as "the list of the train shapes".
        who (str): who asks.
        source (str): where the data come from.

    Returns:
        Path: the file.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path.absolute()} does not exist ({who}), expected {what}{_packed_beside(path)}. {source}'
        )
    return path


def read_lines(path: str | os.PathLike[str], what: str, who: str, source: str) -> list[tuple[int, str]]:
    """Read a list file.

    Args:
        path (str): the file, UTF-8 text.
        what (str): what a line is, such as "one <synset>-<model>.npy a line".
        who (str): who asks.
        source (str): where the data come from.

    Returns:
        list[tuple[int, str]]: number, from 1, and text of every line that is not empty, without surrounding blanks.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no text, or names nothing.
    """
    path = need_file(path, what, who, source)
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not text in UTF-8 ({error}), expected {what}; write it again. {source}') from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise ValueError(f'{path} is empty, expected {what}. {source}')
    return lines


def inside(root: str | os.PathLike[str], relative: str, where: str) -> Path:
    """Join a path that a file of the data set names, and refuse to be led out of the root.

    Args:
        root (str): the folder.
        relative (str): the path below it, with forward slashes.
        where (str): where it is named, such as "train.txt, line 3".

    Returns:
        Path: root and path; whether it exists is not asked.

    Raises:
        ValueError: the path is absolute, holds ``..`` or a character that no file name has.
    """
    parts = PurePosixPath(relative.replace('\\', '/')).parts
    foreign = PureWindowsPath(relative)
    if not parts or '..' in parts or parts[0].startswith('/') or foreign.drive or foreign.root or '\0' in relative:
        raise ValueError(
            f'{where} names {relative!r}, expected a path below {os.fspath(root)}; a path that leads anywhere else is '
            'refused: correct the list.'
        )
    return Path(root).joinpath(*parts)
