"""Which axis is up, judged from the shapes themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ['Standing', 'layers', 'objects_stand', 'scenes_stand']

# Classes, by the last word of their name, most of whose shapes have one flat layer that lies level (a board, a seat, a
# mattress, wings), and classes most of whose shapes are higher than wide.
_LEVEL = ('table', 'desk', 'bed', 'bench', 'bathtub', 'sofa', 'couch', 'airplane', 'aeroplane', 'car', 'skateboard')
_TALL = ('chair', 'bottle', 'flower pot', 'flowerpot', 'person', 'tower', 'door', 'bookshelf', 'wardrobe')
# Of these the layer is the top, so that they also tell up from down.
_TOP = ('table', 'desk')
# Thickness of a layer, as a share of the largest extent.
_THICKNESS = 0.05
# Points, evenly taken from the cloud, in which layers are looked for.
_JUDGED = 4096
# A class has a say with so many shapes, if so large a share of them agree.
_MIN_SHAPES, _MAJORITY = 5, 0.6
# The classes that stand along one axis have to be so many times those that stand along others.
_UNITY = 3
# One class alone, or scenes, have to agree more.
_ALONE_SHAPES, _ALONE_MAJORITY = 20, 0.8


class Standing(NamedTuple):
    """What the shapes say about up.

    Attributes:
        axis (str | None): 'x', 'y' or 'z'; None where there is no strong evidence.
        upside_down (bool): the axis is right, but points down.
        evidence (str): what was counted, as the end of a sentence.
    """

    axis: str | None
    upside_down: bool
    evidence: str


def layers(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The densest layer across each axis, a twentieth of the largest extent thick.

    Args:
        points (ndarray): (N, 3) floats.

    Returns:
        tuple[ndarray, ndarray]: the share of the points in it, (3,), and the place of its middle, 0 at the low end of
        the extent to 1 at the high end, (3,); NaN where there is no extent.
    """
    low, extent = points.min(axis=0).astype(np.float64), np.ptp(points.astype(np.float64), axis=0)
    some = points[np.linspace(0, len(points) - 1, min(_JUDGED, len(points))).astype(int)]
    thickness = _THICKNESS * extent.max()
    shares, places = np.empty(3), np.empty(3)
    for axis, line in enumerate(np.sort(some.T.astype(np.float64), axis=1)):
        inside = np.searchsorted(line, line + thickness, side='right') - np.arange(len(line))
        first = inside.argmax()
        middle = (line[first] + line[first + inside[first] - 1]) / 2
        shares[axis] = inside[first] / len(line)
        places[axis] = (middle - low[axis]) / extent[axis] if extent[axis] > 0 else np.nan
    return shares, places


def objects_stand(
    classes: Sequence[str], labels: np.ndarray, extents: np.ndarray, shares: np.ndarray, places: np.ndarray
) -> Standing:
    """Judge by the classes of which it is known how they stand.

    Tables, beds or cars have most of their points in a level layer, chairs and bottles are higher than wide; a class
    whose shapes agree has a vote, and two votes, or one of many shapes, decide if next to no other class disagrees.

    Args:
        classes (Sequence[str]): names, in the order of the labels.
        labels (ndarray): (n,) integers; others than those of ``classes`` have no say.
        extents (ndarray): (n, 3).
        shares (ndarray): (n, 3) of :func:`layers`.
        places (ndarray): (n, 3) of :func:`layers`.

    Returns:
        Standing: the judgement.
    """
    votes: dict[str, list[tuple[str, int, float]]] = {}
    low_tops, tops = 0, 0
    for label, name in enumerate(classes):
        word = name.lower().replace('_', ' ').replace('-', ' ')
        level, tall = _ends_in(word, _LEVEL), _ends_in(word, _TALL)
        rows = np.flatnonzero(labels == label)
        if len(rows) < _MIN_SHAPES or not (level or tall):
            continue
        axes = (shares if level else extents)[rows].argmax(axis=1)
        counts = np.bincount(axes, minlength=3)
        best = int(counts.argmax())
        if counts[best] < _MAJORITY * len(rows):
            continue
        votes.setdefault('xyz'[best], []).append((name, len(rows), counts[best] / len(rows)))
        if _ends_in(word, _TOP):
            heights = places[rows[axes == best], best]
            tops, low_tops = tops + len(heights), low_tops + int((heights < 0.5).sum())
    if not votes:
        return Standing(None, False, 'no class that is known to stand')
    axis, found = max(votes.items(), key=lambda vote: len(vote[1]))
    others = sum(map(len, votes.values())) - len(found)
    if len(found) < _UNITY * others:
        said = ' and '.join(f'{", ".join(name for name, *_ in found)} along {axis}' for axis, found in votes.items())
        return Standing(None, False, f'classes disagree: {said}')
    count = sum(number for _, number, _ in found)
    share = sum(number * part for _, number, part in found) / count
    evidence = f'{", ".join(name for name, *_ in found)} stand along {axis} ({share:.0%} of {count} shapes)'
    if len(found) == 1 and (count < _ALONE_SHAPES or share < _ALONE_MAJORITY):
        return Standing(None, False, f'{evidence}, too few to judge by')
    if tops >= _ALONE_SHAPES and low_tops >= _ALONE_MAJORITY * tops:
        return Standing(axis, True, f'{low_tops} of {tops} tables and desks have their board at the bottom')
    return Standing(axis, False, evidence)


def scenes_stand(extents: np.ndarray, shares: np.ndarray) -> Standing:
    """Judge rooms and sweeps: they are wider than high, and more points lie on the floor than in any wall.

    Args:
        extents (ndarray): (n, 3).
        shares (ndarray): (n, 3) of :func:`layers`.

    Returns:
        Standing: the judgement; both signs have to agree.
    """
    if len(extents) < _MIN_SHAPES:
        return Standing(None, False, f'{len(extents)} scenes are too few to judge by')
    flat = np.bincount(extents.argmin(axis=1), minlength=3) / len(extents)
    floor = np.bincount(shares.argmax(axis=1), minlength=3) / len(extents)
    both = np.minimum(flat, floor)
    best = int(both.argmax())
    if both[best] < _ALONE_MAJORITY:
        return Standing(None, False, 'the scenes do not agree on which extent is the smallest and has the floor')
    evidence = f'{both[best]:.0%} of {len(extents)} scenes are lowest, and have most points in one layer, along '
    return Standing('xyz'[best], False, evidence + 'xyz'[best])


def _ends_in(name: str, words: Sequence[str]) -> bool:
    return any(name == word or name.endswith(f' {word}') for word in words)
