"""Describe an object as a list of placed primitives, in the words a builder thinks in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .primitives import KINDS, NUM_PARAMS

Vector = Sequence[float]

_BOX, _BALL, _CONE, _RING, _BLOB, _WEDGE = range(len(KINDS))
# Columns of a row: the affine map (three columns, then the centre), then the tags, then the params.
_TAGS, _PARAMS = 12, 15

# Planes for `prism`: the directions of the polygon's two coordinates and of the extrusion.
_PLANES = {
    'xz': ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    'xy': ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    'zy': ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
}


class Solid(NamedTuple):
    """K placed primitives, sorted by kind.

    A point is inside where, for some group, it is inside a primitive of the group that is no carver and inside no
    carver of the group.

    Attributes:
        kind: (K,) int64 index into ``KINDS``.
        matrix: (K, 3, 3) float64, columns are the images of the local axes.
        center: (K, 3) float64, the image of the local origin.
        params: (K, 7) float32, by kind; see ``primitives``.
        part: (K,) int64 tag handed through to the points.
        group: (K,) int64.
        carve: (K,) bool, True for a primitive that is cut out of its group.
    """

    kind: np.ndarray
    matrix: np.ndarray
    center: np.ndarray
    params: np.ndarray
    part: np.ndarray
    group: np.ndarray
    carve: np.ndarray

    def mapped(self, matrix: np.ndarray, offset: np.ndarray | float = 0.0) -> Solid:
        """The image under x -> matrix x + offset; both may be one for all or one for each primitive."""
        center = np.einsum('...ij,...j->...i', matrix, self.center) + offset
        return self._replace(matrix=matrix @ self.matrix, center=center)


def rotation(rx: float = 0.0, ry: float = 0.0, rz: float = 0.0) -> tuple:
    """Rotation about x, then y, then z, in radians, as three columns (each a tuple of three floats)."""
    cx, sx, cy, sy, cz, sz = (math.cos(rx), math.sin(rx), math.cos(ry), math.sin(ry), math.cos(rz), math.sin(rz))
    return (
        (cz * cy, sz * cy, -sy),
        (cz * sy * sx - sz * cx, sz * sy * sx + cz * cx, cy * sx),
        (cz * sy * cx + sz * sx, sz * sy * cx - cz * sx, cy * cx),
    )


def _cross(a, b):
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def _times(a, factor):
    return (a[0] * factor, a[1] * factor, a[2] * factor)


def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _frame(a, b):
    """Unit side vector, unit direction, unit third vector, half length and midpoint of the segment a-b."""
    d = (b[0] - a[0], b[1] - a[1], b[2] - a[2])
    length = math.sqrt(_dot(d, d))
    d = _times(d, 1.0 / length)
    # Start from the axis least along d; prefer x for upright things, so that rectangular beams stay square to the axes.
    side = (0.0, 0.0, 1.0) if abs(d[0]) > 0.8 else (1.0, 0.0, 0.0)
    third = _cross(side, d)
    third = _times(third, 1.0 / math.sqrt(_dot(third, third)))
    mid = (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2]))
    return _cross(d, third), d, third, 0.5 * length, mid


class Assembly:
    """Collects primitives; ``solid()`` freezes them.

    All lengths are in one unit of the builder's choice (the sampler normalises), y is up, the front is +z. Common
    keywords: ``part`` is the tag of the surface, ``group`` and ``carve`` cut a primitive out of the others of its
    group only (a mug's hollow does not cut its handle when the handle is of another group).
    """

    def __init__(self) -> None:
        self._rows: list[list] = [[] for _ in KINDS]

    def _add(self, kind, x, y, z, center, params=(), part=0, group=0, carve=False):
        padding = (0.0,) * (NUM_PARAMS - len(params))
        self._rows[kind].append((*x, *y, *z, *center, part, group, carve, *params, *padding))

    def box(self, center: Vector, size: Vector, rot: Vector = (0.0, 0.0, 0.0), **tags) -> None:
        """A box of full edge lengths ``size``, turned by ``rotation(*rot)``."""
        sx, sy, sz = 0.5 * size[0], 0.5 * size[1], 0.5 * size[2]
        if not any(rot):
            self._add(_BOX, (sx, 0, 0), (0, sy, 0), (0, 0, sz), center, **tags)
            return
        x, y, z = rotation(*rot)
        self._add(_BOX, _times(x, sx), _times(y, sy), _times(z, sz), center, **tags)

    def beam(self, a: Vector, b: Vector, width: float, depth: float | None = None, **tags) -> None:
        """A box from a to b with a cross-section of full edges ``width`` (along x where upright) and ``depth``."""
        side, axis, third, half, mid = _frame(a, b)
        depth = width if depth is None else depth
        columns = _times(side, 0.5 * width), _times(axis, half), _times(third, 0.5 * depth)
        self._add(_BOX, *columns, mid, **tags)

    def ball(self, center: Vector, radii: Vector | float, rot: Vector = (0.0, 0.0, 0.0), **tags) -> None:
        """An ellipsoid (or a ball, for one number)."""
        rx, ry, rz = radii if isinstance(radii, Sequence) else (radii, radii, radii)
        x, y, z = rotation(*rot)
        self._add(_BALL, _times(x, rx), _times(y, ry), _times(z, rz), center, **tags)

    def blob(self, center: Vector, size: Vector, e1: float, e2: float, rot: Vector = (0.0, 0.0, 0.0), **tags) -> None:
        """A superquadric of full edges ``size``: 0.2 is a cushion or a box with round edges, 1 a ball, 2 a spindle."""
        x, y, z = rotation(*rot)
        columns = _times(x, 0.5 * size[0]), _times(y, 0.5 * size[1]), _times(z, 0.5 * size[2])
        self._add(_BLOB, *columns, center, (e1, e2), **tags)

    def cone(
        self,
        a: Vector,
        b: Vector,
        radius: float,
        top: float | None = None,
        *,
        caps: tuple[bool, bool] = (True, True),
        flat: float = 1.0,
        **tags,
    ) -> None:
        """A (truncated) cone from a (``radius``) to b (``top``; the same by default: a cylinder).

        ``flat`` scales the section across the first side vector (x for an upright axis is kept, z is scaled).
        """
        top = radius if top is None else top
        if top > radius:
            a, b, radius, top, caps = b, a, top, radius, caps[::-1]
        side, axis, third, half, mid = _frame(a, b)
        params = (top / radius, 0.0, 0.0, 0.0, 0.0, caps[0], caps[1])
        columns = _times(side, radius), _times(axis, half), _times(third, radius * flat)
        self._add(_CONE, *columns, mid, params, **tags)

    def ring(self, center: Vector, radius: float, minor: float, rot: Vector = (0.0, 0.0, 0.0), **tags) -> None:
        """A torus around its own y axis, of centre-line ``radius`` and tube radius ``minor``."""
        x, y, z = rotation(*rot)
        columns = _times(x, radius), _times(y, radius), _times(z, radius)
        self._add(_RING, *columns, center, (minor / radius,), **tags)

    def prism(
        self,
        polygon: Sequence[tuple[float, float]],
        center: Vector,
        depth: float,
        plane: str = 'xz',
        *,
        taper: float = 1.0,
        core: tuple[float, float] | None = None,
        rot: Vector = (0.0, 0.0, 0.0),
        **tags,
    ) -> None:
        """A polygon in ``plane``, extruded by ``depth`` along the third axis, half to each side of ``center``.

        Args:
            polygon: V corners (first, second coordinate) relative to ``center``, in either sense of rotation; all
                edges must be visible from ``core``.
            center: position of the polygon's origin, in the middle of the extrusion.
            depth: full length of the extrusion.
            plane: 'xz', 'xy' or 'zy'.
            taper: scale of the far end about ``core``, from 0 to 1.
            core: a point inside; the mean of the corners by default.
            rot: turns plane and extrusion about ``center``, as in ``rotation``.
            **tags: part, group, carve.
        """
        u, v, w = _PLANES[plane]
        if any(rot):
            columns = rotation(*rot)
            u, v, w = ([_dot(row, axis) for row in zip(*columns)] for axis in (u, v, w))
        if core is None:
            core = (sum(p[0] for p in polygon) / len(polygon), sum(p[1] for p in polygon) / len(polygon))
        p, q = core
        middle = [center[i] + p * u[i] + q * v[i] for i in range(3)]
        corners = [[(s - p) * u[i] + (t - q) * v[i] for i in range(3)] for s, t in polygon]
        half = _times(w, 0.5 * depth)
        for first, second in zip(corners, corners[1:] + corners[:1]):
            self._add(_WEDGE, first, half, second, middle, (taper,), **tags)

    def lathe(self, profile: Sequence[tuple[float, float]], center: Vector = (0.0, 0.0, 0.0), **tags) -> None:
        """A solid of revolution about the upright axis through ``center``.

        Args:
            profile: (radius, height) pairs from the bottom to the top, heights relative to ``center`` and not falling.
            center: origin of the heights.
            **tags: part, group, carve.
        """
        x, y, z = center
        pieces = [(a, b) for a, b in zip(profile, profile[1:]) if b[1] - a[1] > 1e-6 and a[0] + b[0] > 1e-6]
        for i, ((r0, h0), (r1, h1)) in enumerate(pieces):
            # A cap that the neighbour covers is inside; not drawing it saves candidates.
            below = 0.0 if i == 0 else pieces[i - 1][1][0]
            above = 0.0 if i == len(pieces) - 1 else pieces[i + 1][0][0]
            caps = (r0 > below + 1e-6, r1 > above + 1e-6)
            self.cone((x, y + h0, z), (x, y + h1, z), r0, r1, caps=caps, **tags)

    def tube(self, path: Sequence[Vector], radius: float, **tags) -> None:
        """A round tube along a polyline: cylinders cut at each joint by the plane that halves the angle.

        The bend at a joint must leave something of both segments: keep radius * tan(angle / 2) below half a segment.
        """
        frames = [_frame(a, b) for a, b in zip(path, path[1:])]
        for i, (side, axis, third, half, mid) in enumerate(frames):
            cuts = []
            for other in (i - 1, i + 1):
                if not 0 <= other < len(frames):
                    cuts += [0.0, 0.0]
                    continue
                d = frames[other][1]
                normal = (axis[0] + d[0], axis[1] + d[1], axis[2] + d[2])
                steep = -radius / (half * _dot(axis, normal))
                cuts += [steep * _dot(side, normal), steep * _dot(third, normal)]
            params = (1.0, *cuts, i == 0, i == len(frames) - 1)
            self._add(_CONE, _times(side, radius), _times(axis, half), _times(third, radius), mid, params, **tags)

    def solid(self) -> Solid:
        """The primitives so far, as arrays."""
        counts = [len(rows) for rows in self._rows]
        table = np.array([row for rows in self._rows for row in rows], np.float64)
        tags = table[:, _TAGS:_PARAMS].astype(np.int64)
        return Solid(
            kind=np.repeat(np.arange(len(KINDS)), counts),
            matrix=table[:, :9].reshape(-1, 3, 3).transpose(0, 2, 1),
            center=table[:, 9:_TAGS],
            params=table[:, _PARAMS:].astype(np.float32),
            part=tags[:, 0],
            group=tags[:, 1],
            carve=tags[:, 2].astype(bool),
        )
