"""What lies in a user's own folder: its files, its lists, its captions."""

from __future__ import annotations

import csv
import os
import posixpath
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from .paths import inside, need_file, read_lines
from .reading import read_json

__all__ = ['Listing', 'list_folder', 'read_captions', 'read_list', 'stem_of']


class Listing(NamedTuple):
    """Files of a folder.

    Attributes:
        files (list[str]): paths below the folder with forward slashes, in the order of their bytes.
        folders (list[str]): the folders directly in it, likewise.
        ignored (Counter): how many files were left out, by reason: a suffix, or 'hidden'.
    """

    files: list[str]
    folders: list[str]
    ignored: Counter[str]


def list_folder(folder: str | os.PathLike[str], suffixes: Collection[str]) -> Listing:
    """List the files below a folder that have one of some suffixes; none is opened.

    Links are followed. Names that start with a dot are left out. The order is that of the paths' bytes, the same on
    every machine, whatever its language and file system.

    Args:
        folder (str): where.
        suffixes (Collection[str]): lower case, with the dot; files may have them in capitals.

    Returns:
        Listing: what there is.

    Raises:
        ValueError: a link leads back to a folder that it lies in.
    """
    files: list[str] = []
    folders: list[str] = []
    ignored: Counter[str] = Counter()
    # Of each folder: where it is, its path below the top, and the true places of the links that led there.
    todo: list[tuple[str, str, tuple[str, ...]]] = [(os.fspath(folder), '', ())]
    while todo:
        place, prefix, links = todo.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith('.'):
                    ignored['hidden'] += 1
                elif _is_folder(entry):
                    chain = (*links, _link_place(entry, place, links)) if entry.is_symlink() else links
                    todo.append((entry.path, f'{prefix}{name}/', chain))
                    if not prefix:
                        folders.append(name)
                else:
                    # A link that leads nowhere counts as a file: reading it says so.
                    suffix = os.path.splitext(name)[1].lower()
                    if suffix in suffixes:
                        files.append(prefix + name)
                    else:
                        ignored[suffix or 'no suffix'] += 1
    # Code points are in the order of their UTF-8 bytes.
    return Listing(sorted(files), sorted(folders), ignored)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself.
        return False


def _link_place(entry: os.DirEntry[str], place: str, links: tuple[str, ...]) -> str:
    """The true path of the folder that holds a link, if the link leads to none of the folders on the way to it."""
    here, target = os.path.realpath(place), os.path.realpath(entry.path)
    for above in (here, *links):
        if os.path.commonpath([above, target]) == target:
            raise ValueError(
                f'{entry.path} is a link to {target}, a folder that it lies in, so that there would be no end to what '
                'is listed; remove the link.'
            )
    return here


def stem_of(file: str) -> str:
    """A path below the folder without the suffix: how pictures, captions and errors call a shape."""
    return os.path.splitext(file)[0]


def read_list(root: str | os.PathLike[str], split: str, suffixes: Collection[str], who: str, source: str) -> list[str]:
    """Read ``<root>/<split>.txt``: one path below the root a line.

    Args:
        root (str): the folder.
        split (str): name of the list.
        suffixes (Collection[str]): which files are readable; lower case, with the dot.
        who (str): who asks, for the error.
        source (str): what to do about it, for the error.

    Returns:
        list[str]: the paths, with forward slashes, in the order of the list.

    Raises:
        FileNotFoundError: there is no list.
        ValueError: it is empty, or a line leads out of the root or to a file of another kind.
    """
    path = Path(root) / f'{split}.txt'
    files = []
    for number, line in read_lines(path, f'one file below {os.fspath(root)} a line', who, source):
        where = f'{path}, line {number}'
        inside(root, line, where)
        file = posixpath.normpath(line.replace('\\', '/'))
        suffix = os.path.splitext(file)[1].lower()
        if suffix not in suffixes:
            raise ValueError(
                f'{where} names {line!r}, expected a file with one of the suffixes {", ".join(sorted(suffixes))}; '
                'write the suffix too, or correct the line.'
            )
        files.append(file)
    return files


def read_captions(path: str | os.PathLike[str], who: str, source: str) -> dict[str, str]:
    """Read what is said of shapes.

    Args:
        path (str): ``.json``, an object of stems and captions; ``.csv``, rows of stem and caption with a comma between
            them and quotes where needed; ``.tsv`` or ``.txt``, lines of stem, tabulator, caption. A first row ``stem``,
            ``caption`` is a heading.
        who (str): who asks, for the error.
        source (str): what to do about it, for the error.

    Returns:
        dict[str, str]: stem -> caption.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another suffix, a row that is none, a stem without a caption or with two.
    """
    path = need_file(path, 'a file of captions', who, source)
    if path.suffix == '.json':
        captions = read_json(path)
        if not isinstance(captions, Mapping) or not all(isinstance(text, str) for text in captions.values()):
            raise ValueError(f'{path}: expected one object of the kind {{"stem": "caption"}}; write it so.')
        rows = [(f'{path}, {stem!r}', [stem, text]) for stem, text in captions.items()]
    elif path.suffix in ('.csv', '.tsv', '.txt'):
        rows = _read_rows(path, who, source)
        if rows and [cell.lower() for cell in rows[0][1]] == ['stem', 'caption']:
            rows = rows[1:]
    else:
        raise ValueError(f'{path} ({who}) has the suffix {path.suffix!r}, expected .json, .csv, .tsv or .txt.')
    known: dict[str, str] = {}
    for where, row in rows:
        if len(row) != 2 or not all(cell.strip() for cell in row):
            raise ValueError(
                f'{where}: expected a stem and a caption, with {"a comma" if path.suffix == ".csv" else "a tabulator"} '
                f'between them, got {row!r}; correct the line.'
            )
        stem, text = row[0].strip(), row[1].strip()
        if stem in known:
            raise ValueError(f'{where}: {stem!r} has a caption already; leave one of them.')
        known[stem] = text
    return known


def _read_rows(path: Path, who: str, source: str) -> list[tuple[str, list[str]]]:
    if path.suffix != '.csv':
        lines = read_lines(path, 'lines of a stem, a tabulator and a caption', who, source)
        return [(f'{path}, line {number}', line.split('\t', 1)) for number, line in lines]
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            rows = csv.reader(file, strict=True)
            return [(f'{path}, line {rows.line_num}', row) for row in rows if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{path} is not a table of two columns with commas ({error}); write it again.') from error
