"""Numbers in text: fast where the text is sound, exact about the line where it is not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import count

import numpy as np

from .checks import bad_file, describe, read_head

__all__ = ['full_lines', 'parse_lists', 'parse_rows', 'read_rows', 'read_table']

_TABLE = 'a table of numbers'
_AGAIN = 'the file is damaged or cut off, so copy or download it again'


def read_table(path: str | os.PathLike, columns: int | None = None, delimiter: str | None = None) -> np.ndarray:
    """Read a text file with the same number of numbers in every line.

    Empty lines are passed over, and so is what follows ``#``, or ``//`` where the file begins with that.

    Args:
        path (str | PathLike): the file, UTF-8.
        columns (int | None): numbers that a line must have; None for any.
        delimiter (str | None): what stands between them; None for a comma or a semicolon where the first line has one,
            else white space.

    Returns:
        np.ndarray: (N, columns) float32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a word, a line of another length than the first or than ``columns``, or no numbers at all.
    """
    with np.errstate(over='ignore'):
        return read_rows(path, columns, delimiter).astype(np.float32)


def read_rows(path: str | os.PathLike, columns: int | None = None, delimiter: str | None = None) -> np.ndarray:
    """:func:`read_table` in float64, for coordinates of which float32 would lose digits."""
    wanted = _TABLE if columns is None else f'{columns} numbers in every line'
    head, _ = read_head(path, wanted)
    if b'\0' in head:
        raise bad_file(path, wanted, describe(head), 'choose the reader by what the file holds')
    try:
        with open(path, encoding='utf-8-sig') as file:
            first = next((line for line in map(_numbers_of, file) if line), None)
        if first is None:
            raise bad_file(path, wanted, 'no numbers at all', 'write the file again or remove it from the list')
        if delimiter is None:
            delimiter = next((mark for mark in ',;' if mark in first), None)
        # Two marks of comments are read by a slower way of numpy's.
        comments = ['#', '//'] if head.lstrip(b'\xef\xbb\xbf \r\n\t').startswith(b'//') else '#'
        array = np.loadtxt(path, np.float64, comments, delimiter, ndmin=2, encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise bad_file(path, wanted, f'bytes that are not UTF-8 text ({error})', 'write the file again') from error
    except ValueError as error:
        if first is None:
            raise
        with open(path, encoding='utf-8-sig', errors='replace') as file:
            where, found = _first_bad(file, columns, delimiter, count(1))
        raise bad_file(
            f'{os.fspath(path)}{where}', wanted, found or str(error).rstrip('.'), 'correct the line or remove the file'
        ) from error
    if columns is not None and array.shape[1] != columns:
        raise bad_file(path, wanted, f'{array.shape[1]}', 'set the columns to what the file holds')
    return array


def full_lines(text: str, first: int = 1) -> tuple[list[str], Sequence[int]]:
    """The lines of a text that hold something besides a comment behind ``#``, and their numbers.

    Args:
        text (str): the text.
        first (int): the number of its first line.

    Returns:
        tuple[list[str], Sequence[int]]: lines without comments, and what number each of them has.
    """
    lines = text.splitlines()
    if '#' not in text and not any(line.isspace() or not line for line in lines):
        return lines, range(first, first + len(lines))
    kept = [pair for pair in enumerate((line.split('#', 1)[0] for line in lines), start=first) if pair[1].strip()]
    return [line for _, line in kept], [number for number, _ in kept]


def parse_rows(lines: Sequence[str], columns: int, path: str | os.PathLike, numbers: Sequence[int]) -> np.ndarray:
    """Read lines of a file that is in memory: ``columns`` numbers in each.

    Args:
        lines (Sequence[str]): lines, none of them empty.
        columns (int): numbers of a line.
        path (str | PathLike): the file, for the error.
        numbers (Sequence[int]): what number each of the lines has in it.

    Returns:
        np.ndarray: (len(lines), columns) float64.

    Raises:
        ValueError: a word, or a line with more or fewer numbers.
    """
    if not lines:
        return np.zeros((0, columns))
    try:
        array = np.loadtxt(lines, np.float64, ndmin=2)
    except ValueError as error:
        where, found = _first_bad(lines, columns, None, numbers)
        raise bad_file(
            f'{os.fspath(path)}{where}', f'{columns} numbers', found or str(error).rstrip('.'), _AGAIN
        ) from error
    if array.shape != (len(lines), columns):
        raise bad_file(
            f'{os.fspath(path)}, from line {numbers[0]}',
            f'{len(lines)} lines of {columns} numbers',
            f'{array.shape[0]} lines of {array.shape[1]}',
            _AGAIN,
        )
    return array


def parse_lists(lines: Sequence[str], path: str | os.PathLike, numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Read lines that each hold how many integers follow, these integers, and possibly more that is passed over.

    Args:
        lines (Sequence[str]): lines, none of them empty.
        path (str | PathLike): the file, for the error.
        numbers (Sequence[int]): what number each of the lines has in it.

    Returns:
        tuple[np.ndarray, np.ndarray]: how many (L,), and all the integers in a row, both int64.

    Raises:
        ValueError: a line that is not so.
    """
    try:
        table = np.loadtxt(lines, np.int64, ndmin=2)
        length = int(table[0, 0])
        if (table[:, 0] == length).all() and 0 <= length < table.shape[1]:
            return table[:, 0].copy(), table[:, 1 : length + 1].reshape(-1)
    # Lists of several lengths are no table; whether they are lists at all shows below.
    except (ValueError, OverflowError):
        pass
    lengths, items = [], []
    for number, line in zip(numbers, lines):
        words = line.split()
        try:
            length = int(words[0])
            items += map(int, words[1 : length + 1])
            if not 0 <= length < len(words):
                raise ValueError
        except (ValueError, IndexError) as error:
            raise bad_file(
                f'{os.fspath(path)}, line {number}',
                'how many integers follow, and these',
                repr(line.strip()[:60]),
                _AGAIN,
            ) from error
        lengths.append(length)
    return np.array(lengths, np.int64), np.array(items, np.int64)


def _numbers_of(line: str) -> str:
    return line.split('#', 1)[0].split('//', 1)[0].strip()


def _first_bad(
    lines: Iterable[str], columns: int | None, delimiter: str | None, numbers: Iterable[int]
) -> tuple[str, str]:
    """Where the first line is that breaks a table, and what is wrong with it; two empty strings if none is."""
    for number, line in zip(numbers, map(_numbers_of, lines)):
        words = line.split(delimiter) if line else []
        for word in words:
            try:
                float(word)
            except ValueError:
                return f', line {number}', f'the word {word.strip()[:40]!r}'
        columns = columns or len(words)
        if words and len(words) != columns:
            return f', line {number}', f'{len(words)} where there should be {columns}'
    return '', ''
