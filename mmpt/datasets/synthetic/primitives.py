"""Six canonical solids and the patches that make up their surfaces.

Everything a generator makes is a union of affine images of these solids (axis y, extent [-1, 1] unless said otherwise):

====== ================================================================ =====================================
kind   solid                                                            params
====== ================================================================ =====================================
box    the cube [-1, 1]^3                                               none
ball   the unit ball                                                    none
cone   radius 1 at y=-1, k at y=+1; planes may cut the ends obliquely:  k, s0x, s0z, s1x, s1z, cap0, cap1
       y = -1 + s0.(x, z) and y = 1 + s1.(x, z), with k = 1 only
ring   torus, major radius 1 around y, minor radius r                   r
blob   superquadric (|x|^(2/e2) + |z|^(2/e2))^(e2/e1) + |y|^(2/e1) = 1   e1, e2
wedge  triangle (0,0), (1,0), (0,1) in (x, z) times s(y), with s = 1    k
       at y=-1 and k at y=+1; an extruded polygon is a fan of wedges
====== ================================================================ =====================================

Cylinders, cones, lathe profiles and swept tubes are made of ``cone``; extruded polygons of ``wedge`` (whose inner
sides are no patches). Solids overlap freely: the sampler drops what lies inside.

A *patch* is a piece of surface with one parametrisation. ``bound`` gives a number not smaller than the area of the
patch after the affine map (equal to it for planes and round cylinders; for a strong shear of a curved patch it may be
slightly smaller); candidates are drawn in proportion to it. ``draw`` gives local points, local normals and the local
area per unit of probability, from which the sampler computes how much a candidate counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

KINDS = ('box', 'ball', 'cone', 'ring', 'blob', 'wedge')
NUM_PARAMS = 7
TAU = 2.0 * math.pi

# How far two neighbouring wedges reach into each other, in local units, so that rounding leaves no gap between them.
_WEDGE_SEAM = 1e-4


class Patch(NamedTuple):
    """One parametrised piece of surface of a kind; see the module's docstring.

    Attributes:
        kind: index into ``KINDS``.
        bound: (lengths (K, 4), params (K, 7)) -> (F, K) upper bounds of the mapped areas. The lengths are those of
            the columns of the cofactor matrix, and of the sum of its first and third.
        draw: (face (n,), params (n, 7), uniforms (n, 3)) -> points (n, 3), normals (n, 3), area (n,) or scalar.
    """

    kind: int
    bound: Callable
    draw: Callable


def _stack(x, y, z):
    out = np.empty((len(x), 3), np.float32)
    out[:, 0], out[:, 1], out[:, 2] = x, y, z
    return out


def _taper(k, u):
    """Position t in [0, 1] along an axis whose girth falls linearly from 1 to k, with density in proportion to it."""
    return u * (1.0 + k) / (1.0 + np.sqrt(1.0 - (1.0 - k * k) * u))


def _box_bound(cof, params):
    return np.concatenate((cof[:, :3], cof[:, :3]), axis=1).T * 4.0


def _box_draw(face, params, u):
    points = 2.0 * u - 1.0
    rows, axis = np.arange(len(face)), face % 3
    side = np.where(face < 3, np.float32(-1), np.float32(1))
    points[rows, axis] = side
    normals = np.zeros_like(points)
    normals[rows, axis] = side
    return points, normals, 4.0


def _ball_bound(cof, params):
    return (2.0 * TAU) * cof[:, :3].max(axis=1)[None]


def _ball_draw(face, params, u):
    y = 2.0 * u[:, 0] - 1.0
    girth = np.sqrt(1.0 - y * y)
    angle = np.float32(TAU) * u[:, 1]
    points = _stack(girth * np.cos(angle), y, girth * np.sin(angle))
    return points, points, 2.0 * TAU


def _side_bound(cof, params):
    k = params[:, 0]
    across = np.maximum(cof[:, 0], cof[:, 2])
    return (TAU * (1.0 + k) * np.hypot(across, 0.5 * (1.0 - k) * cof[:, 1]))[None]


def _side_draw(face, params, u):
    k, s0x, s0z, s1x, s1z = params[:, :5].T
    angle = np.float32(TAU) * u[:, 0]
    cos, sin = np.cos(angle), np.sin(angle)
    # The ends are oblique only for k = 1, where the radius is 1 all along, so each line of the side is y0 .. y1.
    y0 = s0x * cos + s0z * sin - 1.0
    length = s1x * cos + s1z * sin + 1.0 - y0
    y = y0 + length * _taper(k, u[:, 1])
    radius = 0.5 * ((1.0 + k) - (1.0 - k) * y)
    slope = 0.5 * (1.0 - k)
    slant = np.sqrt(1.0 + slope * slope)
    points = _stack(radius * cos, y, radius * sin)
    normals = _stack(cos / slant, slope / slant, sin / slant)
    return points, normals, np.float32(0.5 * TAU) * (1.0 + k) * slant * length


def _disc_bound(cof, params):
    area = 0.5 * TAU * cof[:, 1]
    return np.stack((area * params[:, 5], area * params[:, 6] * params[:, 0] ** 2))


def _disc_draw(face, params, u):
    side = np.where(face == 0, np.float32(-1), np.float32(1))
    edge = np.where(face == 0, np.float32(1), params[:, 0])
    radius = edge * np.sqrt(u[:, 0])
    angle = np.float32(TAU) * u[:, 1]
    points = _stack(radius * np.cos(angle), side, radius * np.sin(angle))
    zero = np.zeros_like(side)
    return points, _stack(zero, side, zero), np.float32(0.5 * TAU) * edge * edge


def _ring_bound(cof, params):
    minor = params[:, 0]
    return (TAU * TAU * minor * (1.0 + minor) * cof[:, :3].max(axis=1))[None]


def _ring_draw(face, params, u):
    minor = params[:, 0]
    around, about = np.float32(TAU) * u[:, 0], np.float32(TAU) * u[:, 1]
    cos, sin, out = np.cos(around), np.sin(around), np.cos(about)
    normals = _stack(out * cos, np.sin(about), out * sin)
    points = normals * minor[:, None]
    girth = 1.0 + minor * out
    points[:, 0], points[:, 2] = girth * cos, girth * sin
    return points, normals, np.float32(TAU * TAU) * minor * girth


def _blob_bound(cof, params):
    # The area per solid angle, r^2 / cos, is largest near the corners: r^2 = 3^(1 - e) there, and a little more beside.
    sharp = np.minimum(params[:, 0], params[:, 1])
    return (2.0 * TAU * 1.15 * np.maximum(1.0, 3.0 ** (1.0 - sharp)) * cof[:, :3].max(axis=1))[None]


def _blob_draw(face, params, u):
    e1, e2 = params[:, 0], params[:, 1]
    points, _, _ = _ball_draw(face, params, u)
    # The floor keeps 0^negative out of the gradient; a direction that close to a plane is drawn once in 10^4.
    x, y, z = np.maximum(np.abs(points), np.float32(1e-4)).T
    px, pz, py = x ** (2.0 / e2), z ** (2.0 / e2), y ** (2.0 / e1)
    across = px + pz
    level = across ** (e2 / e1)
    # level + py is homogeneous of degree 2 / e1 in the direction, so this brings the direction to the surface.
    radius = (level + py) ** (-0.5 * e1)
    share = level / across
    normals = np.copysign(_stack(share * px / x, py / y, share * pz / z), points)
    normals /= np.sqrt(np.einsum('ij,ij->i', normals, normals))[:, None]
    cosine = np.einsum('ij,ij->i', normals, points)
    points = np.copysign(_stack(x, y, z), points) * radius[:, None]
    return points, normals, np.float32(2.0 * TAU) * radius * radius / cosine


def _ruled_bound(cof, params):
    # |C (1, (1 - k) / 2, 1)| is bounded by the triangle inequality; exact for an extrusion without taper.
    k = params[:, 0]
    return ((1.0 + k) * (cof[:, 3] + 0.5 * (1.0 - k) * cof[:, 1]))[None]


def _ruled_draw(face, params, u):
    k = params[:, 0]
    t = _taper(k, u[:, 1])
    girth = 1.0 - (1.0 - k) * t
    slope = 0.5 * (1.0 - k)
    slant = np.sqrt(2.0 + slope * slope)
    points = _stack(girth * u[:, 0], 2.0 * t - 1.0, girth * (1.0 - u[:, 0]))
    flat = 1.0 / slant
    return points, _stack(flat, slope * flat, flat), (1.0 + k) * slant


def _tri_bound(cof, params):
    area = 0.5 * cof[:, 1]
    return np.stack((area, area * params[:, 0] ** 2))


def _tri_draw(face, params, u):
    side = np.where(face == 0, np.float32(-1), np.float32(1))
    edge = np.where(face == 0, np.float32(1), params[:, 0])
    root = np.sqrt(u[:, 0])
    points = _stack(edge * root * u[:, 1], side, edge * root * (1.0 - u[:, 1]))
    zero = np.zeros_like(side)
    return points, _stack(zero, side, zero), 0.5 * edge * edge


# In the order of KINDS, so that candidates sorted by patch are nearly sorted by solid.
PATCHES = (
    Patch(0, _box_bound, _box_draw),
    Patch(1, _ball_bound, _ball_draw),
    Patch(2, _side_bound, _side_draw),
    Patch(2, _disc_bound, _disc_draw),
    Patch(3, _ring_bound, _ring_draw),
    Patch(4, _blob_bound, _blob_draw),
    Patch(5, _ruled_bound, _ruled_draw),
    Patch(5, _tri_bound, _tri_draw),
)


def _in_box(local, params):
    return np.abs(local).max(axis=0) < 1.0


def _in_ball(local, params):
    return np.einsum('ikm,ikm->km', local, local) < 1.0


def _in_cone(local, params):
    x, y, z = local
    k, s0x, s0z, s1x, s1z = params[:, :5, None].transpose(1, 0, 2)
    radius = 0.5 * (1.0 + k) - 0.5 * (1.0 - k) * y
    inside = x * x + z * z < radius * radius
    if params[:, 1:5].any():
        inside &= y > s0x * x + s0z * z - 1.0
        inside &= y < s1x * x + s1z * z + 1.0
    else:
        inside &= np.abs(y) < 1.0
    return inside


def _in_ring(local, params):
    x, y, z = local
    away = np.sqrt(x * x + z * z) - 1.0
    return away * away + y * y < params[:, :1] ** 2


def _in_blob(local, params):
    inside = np.abs(local).max(axis=0) < 1.0
    # Powers are slow: only where the surrounding box says maybe.
    row, column = np.nonzero(inside)
    x, y, z = np.abs(local[:, row, column])
    e1, e2 = params[row, 0], params[row, 1]
    inside[row, column] = (x ** (2.0 / e2) + z ** (2.0 / e2)) ** (e2 / e1) + y ** (2.0 / e1) < 1.0
    return inside


def _in_wedge(local, params):
    x, y, z = local
    k = params[:, :1]
    inside = np.minimum(x, z) > -_WEDGE_SEAM
    inside &= x + z < 0.5 * (1.0 + k) - 0.5 * (1.0 - k) * y
    inside &= np.abs(y) < 1.0
    return inside


# Each: (local points (3, K, M), params (K, 7)) -> (K, M) bool, True strictly inside.
INSIDE = (_in_box, _in_ball, _in_cone, _in_ring, _in_blob, _in_wedge)
