"""A room cut into overlapping columns of a fixed number of points, so that every point is in at least one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ['Piece', 'cut_room']

# In metres: a point on the edge of the room is in the last block whatever the rounding.
_SLACK = 1e-4


class Piece(NamedTuple):
    """Some points of one block.

    Attributes:
        rows (Tensor): (n,) int64, rows of the room.
        own (int): how many of them, the first ones, are here for an answer; no two of these are the same. The others
            only fill the piece up, and have their answer in another piece of the block or earlier in this one.
        centre (Tensor): (2,) the middle of the block in x and y.
    """

    rows: Tensor
    own: int
    centre: Tensor


def cut_room(points: Tensor, size: float = 1.0, stride: float = 0.5, num_points: int = 2048) -> Iterator[Piece]:
    """Cut a room into blocks of ``size`` x ``size`` (any height) every ``stride``, and these into pieces.

    The first block starts at the lowest x and y, the last one ends at the highest. The points of a block are shuffled,
    by a generator of fixed seed, and dealt out; what is missing in the last piece is taken from the first ones. So
    each point is answered for once in each block that holds it, and every piece is spread over its whole block.

    Args:
        points (Tensor): (N, 3 + F), z up, metres.
        size (float): edge of a block.
        stride (float): from one block to the next, at most ``size``.
        num_points (int): n of every piece.

    Yields:
        Piece: rows and centre on the device of the points.
    """
    generator = torch.Generator().manual_seed(0)
    x, y = points[:, 0].double(), points[:, 1].double()
    for left in _starts(x, size, stride):
        strip = _between(x, left, size).nonzero().squeeze(1)
        for low in _starts(y, size, stride):
            rows = strip[_between(y[strip], low, size)]
            if not len(rows):
                continue
            rows = rows[torch.randperm(len(rows), generator=generator).to(rows.device)]
            centre = points.new_tensor([left + size / 2, low + size / 2])
            for start in range(0, len(rows), num_points):
                place = torch.arange(start, start + num_points, device=rows.device) % len(rows)
                yield Piece(rows[place], min(num_points, len(rows) - start), centre)


def _starts(values: Tensor, size: float, stride: float) -> list[float]:
    low, high = float(values.min()), float(values.max())
    count = max(math.ceil((high - low - size) / stride), 0)
    return [low + stride * number for number in range(count)] + [max(low, high - size)]


def _between(values: Tensor, low: float, size: float) -> Tensor:
    return (values >= low - _SLACK) & (values <= low + size + _SLACK)
