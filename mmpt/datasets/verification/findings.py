"""What is said about a data set, and how samples are named in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..base import PointCloudDataset
from ..transforms import name_sample

__all__ = ['KINDS', 'Finding', 'join_names', 'sample_name']

#: kind -> what it is about.
KINDS = {
    'open': 'a data set that cannot be opened',
    'counts': 'fewer or more shapes than were published',
    'missing': 'a file that is named and not there',
    'damaged': 'a file that cannot be read, or holds something else',
    'pictures': 'a picture that does not decode, shapes without any',
    'labels': 'labels out of range, classes without a shape',
    'features': 'normals, colours and the like that differ from sample to sample or are not what they should be',
    'scale': 'size, centre and unit',
    'axis': 'the axis that is up',
    'duplicates': 'shapes that occur twice',
    'pipeline': 'what the transforms of the config make of a sample',
}


class Finding(NamedTuple):
    """One thing to know about a data set.

    Attributes:
        kind (str): one of ``KINDS``.
        level (str): 'problem' (spoils a result), 'warning' (looks wrong) or 'note'.
        text (str): one sentence that names the file or sample.
    """

    kind: str
    level: str
    text: str


def sample_name(dataset: PointCloudDataset, index: int) -> str:
    """How a sentence calls a sample: its id, and its file where it has one of its own."""
    try:
        return name_sample(dataset.load_info(int(index)))
    except (ValueError, OSError):
        return f'sample number {index}'


def join_names(names: Iterable[str], most: int = 3) -> str:
    """Some names for a sentence, and how many there are beside them."""
    names = list(names)
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more
