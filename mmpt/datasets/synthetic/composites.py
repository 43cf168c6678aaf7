"""Free composites: objects without a class, for pre-training.

1 to 9 primitives (box, ball, cylinder, cone, torus, superquadric, extruded polygon, swept tube). A third of the objects
is loose: primitives of any direction grown onto one another, in a random orientation. The others are built the way
made things are: along the axes, stacked or attached, with thin plates and rods, mirror images, rows and rings of equal
elements. Some are carved (boolean difference), hollowed, bent, twisted, or covered with relief.
"""

from __future__ import annotations

import math

import numpy as np

from .assembly import Assembly, Solid, rotation
from .sampler import sample
from .seeds import Draws, generator
from .shape import Shape, normalize
from .warps import Bend, Relief, Twist

_STREAM = 101

_IDENTITY = np.eye(3)
# Bounds the time of a shape: mirror images of rows of tubes could be many solids.
_MAX_SOLIDS = 36


def free_composite(seed: int, index: int, num_points: int = 1024) -> Shape:
    """One object without a class; a function of the arguments alone, the same in every process.

    Args:
        seed: integer from 0; use ``stream_seed`` so that splits never share one.
        index: integer from 0, number of the object.
        num_points: N. Another N is another draw of points of the same solid.

    Returns:
        Shape with points and normals (N, 3) float32 in the unit sphere, and parts None.
    """
    rng = generator(_STREAM, seed, index)
    draws = Draws(rng)
    loose = draws.chance(0.35)
    solid = _loose(draws) if loose else _built(draws)
    solid = _unit(solid)
    whole = solid
    if draws.chance(0.35):
        solid = _carved(solid, draws)
    warps = _warps(draws, rng)
    if loose or draws.chance(0.3):
        turn = _turn(draws)
        solid, whole = solid.mapped(turn), whole.mapped(turn)
    try:
        points, normals, _ = sample(solid, rng, num_points, warps, oversample=1.7)
    except ValueError:
        # In about three objects of a thousand the carvers take (almost) everything: leave those whole.
        points, normals, _ = sample(whole, rng, num_points, warps)
    return Shape(normalize(points), normals, None)


def _turn(draws: Draws) -> np.ndarray:
    """A random rotation; not exactly uniform over all rotations, which nothing here needs."""
    return np.array(rotation(*(draws(0.0, 2.0 * math.pi) for _ in range(3)))).T


def _polygon(draws: Draws) -> list[tuple[float, float]]:
    """A polygon that can be seen from the origin: regular, star-like or ragged."""
    corners = draws.between(3, 8)
    start, ragged = draws(0.0, 2.0 * math.pi), draws.chance(0.5)
    inner = draws(0.4, 1.0)
    out = []
    for i in range(corners):
        angle = start + 2.0 * math.pi * (i + (draws(-0.3, 0.3) if ragged else 0.0)) / corners
        radius = draws(0.5, 1.0) if ragged else (inner if i % 2 and corners % 2 == 0 else 1.0)
        out.append((radius * math.cos(angle), radius * math.sin(angle)))
    return out


def _tube_path(draws: Draws) -> list[tuple[float, float, float]]:
    """A smooth random arc or wave within the cube."""
    pieces = draws.between(3, 7)
    bend, wave, phase = draws(0.2, 0.9), draws(-0.6, 0.6), draws(0.0, 6.3)
    return [
        (bend * math.cos(2.2 * t), 2.0 * t - 1.0, wave * math.sin(3.0 * t + phase))
        for t in (i / pieces for i in range(pieces + 1))
    ]


def _primitive(assembly: Assembly, draws: Draws, part: int) -> None:
    """Add one primitive of extent about [-1, 1]^3 at the origin."""
    kind = draws.unit()
    if kind < 0.30:
        assembly.box((0, 0, 0), (2, 2, 2), part=part)
    elif kind < 0.40:
        assembly.ball((0, 0, 0), 1.0, part=part)
    elif kind < 0.58:
        assembly.cone((0, -1, 0), (0, 1, 0), 1.0, part=part)
    elif kind < 0.68:
        assembly.cone((0, -1, 0), (0, 1, 0), 1.0, draws(0.0, 0.85) if draws.chance(0.6) else 0.0, part=part)
    elif kind < 0.75:
        assembly.ring((0, 0, 0), 1.0, draws(0.08, 0.45), part=part)
    elif kind < 0.83:
        assembly.blob((0, 0, 0), (2, 2, 2), draws(0.25, 1.5), draws(0.25, 1.5), part=part)
    elif kind < 0.92:
        assembly.prism(_polygon(draws), (0, 0, 0), 2.0, taper=draws(0.2, 1.0) if draws.chance(0.4) else 1.0, part=part)
    else:
        assembly.tube(_tube_path(draws), draws(0.08, 0.22), part=part)


def _primitives(draws: Draws, count: int) -> Solid:
    assembly = Assembly()
    for i in range(count):
        _primitive(assembly, draws, i)
    return assembly.solid()


def _placed(solid: Solid, copies: list) -> Solid:
    """One image of primitive ``p`` for each (p, matrix, offset) in ``copies``."""
    which, matrices, offsets = zip(*copies)
    rows, copy = np.nonzero(solid.part[:, None] == np.array(which)[None])
    images = Solid(*(field[rows] for field in solid))
    # nonzero goes row by row, so kinds stay sorted.
    return images.mapped(np.array(matrices)[copy], np.array(offsets)[copy])


def _loose(draws: Draws) -> Solid:
    """Primitives of any direction and affine shape, each grown onto an earlier one."""
    count = draws.between(1, 9)
    copies: list = []
    spots: list = []
    for i in range(count):
        size = draws.scale(0.5) * (1.0 if i == 0 else 0.75)
        stretch = np.diag([size * draws.scale(0.55) for _ in range(3)])
        shear = _IDENTITY.copy()
        if draws.chance(0.3):
            shear[draws.below(3), draws.below(3)] += draws(-0.4, 0.4)
        matrix = _turn(draws) @ shear @ stretch
        if spots:
            parent, reach = spots[draws.below(len(spots))]
            way = np.array([draws.normal() for _ in range(3)])
            way /= np.linalg.norm(way) + 1e-9
            offset = parent + way * reach * draws(0.6, 1.2)
        else:
            offset = np.zeros(3)
        copies.append((i, matrix, offset))
        spots.append((offset, size))
    return _placed(_primitives(draws, count), copies)


def _extents(draws: Draws) -> np.ndarray:
    """Half extents of an element: a block, a plate or a rod."""
    form = draws.unit()
    size = [draws(0.2, 1.0) for _ in range(3)]
    if form < 0.4:
        size[draws.below(3) if draws.chance(0.6) else 1] = draws(0.015, 0.07)
    elif form < 0.7:
        thin, keep = draws(0.02, 0.08), draws.below(3)
        size = [s if axis == keep else thin * draws.scale(0.2) for axis, s in enumerate(size)]
    return np.array(size)


def _upended(draws: Draws) -> np.ndarray:
    """Mostly the identity, or the primitive's own axis laid along x or z."""
    if draws.chance(0.7):
        return _IDENTITY
    return np.array(rotation(0.5 * math.pi) if draws.chance(0.5) else rotation(0.0, 0.0, 0.5 * math.pi)).T


def _built(draws: Draws) -> Solid:
    """Axis-aligned elements, each set onto a face of an earlier one; mirror images, rows and rings of equal ones."""
    count = draws.between(1, 9)
    mirrors = [axis for axis, chance in ((0, 0.65), (2, 0.35)) if draws.chance(chance)]
    primitives = _primitives(draws, count)
    weight = np.bincount(primitives.part).tolist()
    left = _MAX_SOLIDS - sum(weight)
    copies: list = []
    # The boxes that elements fill, to build on: centre and half extents.
    blocks = [(np.zeros(3), _extents(draws))]
    copies.append((0, np.diag(blocks[0][1]) @ _upended(draws), np.zeros(3)))
    for number in range(1, count):
        parent, reach = blocks[draws.below(len(blocks))] if draws.chance(0.6) else blocks[0]
        size = _extents(draws)
        for axis in range(3):
            if draws.chance(0.3):
                size[axis] = reach[axis]
        face = 1 if draws.chance(0.6) else 2 * draws.below(2)
        offset = parent.copy()
        offset[face] += (1.0 if draws.chance(0.5) else -1.0) * (reach[face] + size[face] * draws(0.85, 1.0))
        for axis in range(3):
            place = draws.unit()
            if axis != face and place < 0.6:
                room = reach[axis] - size[axis] if place < 0.4 else reach[axis] * draws.unit()
                offset[axis] += room if draws.chance(0.5) else -room
        matrix = np.diag(size) @ _upended(draws)
        if draws.chance(0.12):
            lean = rotation(draws.normal(0.3), draws.normal(0.3), draws.normal(0.3))
            matrix = np.array(lean).T @ matrix
        images = _repeated(matrix, offset, parent, reach, size, face, draws)
        for axis in mirrors:
            flip = np.diag([-1.0 if i == axis else 1.0 for i in range(3)])
            images += [(flip @ m, flip @ o) for m, o in images if abs(o[axis]) > 1e-6]
        images = images[: 1 + max(0, left // weight[number])]
        left -= (len(images) - 1) * weight[number]
        copies += [(number, m, o) for m, o in images]
        blocks.append((offset, size))
    return _placed(primitives, copies)


def _repeated(matrix, offset, parent, reach, size, face: int, draws: Draws) -> list:
    """The element once; or a row of it along its parent; or a ring of it around its parent's upright axis."""
    kind = draws.unit()
    if kind < 0.22:
        axis = (face + draws.between(1, 2)) % 3
        room = max(reach[axis] - size[axis], 1.2 * size[axis])
        start = offset.copy()
        start[axis] = parent[axis]
        number = draws.between(2, 6)
        way = _IDENTITY[axis] * room
        return [(matrix, start + (2.0 * i / (number - 1) - 1.0) * way) for i in range(number)]
    if kind < 0.32:
        number = draws.between(3, 6)
        away = math.hypot(offset[0] - parent[0], offset[2] - parent[2])
        away = min(max(away, 0.6 * reach[0]), reach[0] + 0.9 * size[0])
        turns = [np.array(rotation(0.0, 2.0 * math.pi * i / number)).T for i in range(number)]
        middle = np.array([parent[0], offset[1], parent[2]])
        return [(turn @ matrix, middle + away * turn[:, 0]) for turn in turns]
    return [(matrix, offset)]


def _unit(solid: Solid) -> Solid:
    """Scale to a reach of about one, so that carvers and warps mean the same for all."""
    reach = np.abs(solid.matrix).sum(axis=2)
    low, high = (solid.center - reach).min(axis=0), (solid.center + reach).max(axis=0)
    scale = 2.0 / float((high - low).max())
    return solid.mapped(_IDENTITY * scale, -0.5 * scale * (low + high))


def _carved(solid: Solid, draws: Draws) -> Solid:
    """Cut one to three primitives out of everything: a bite, a hole through, or a hollow of an element."""
    assembly = Assembly()
    copies = []
    cuts = draws.between(1, 3)
    sizes = np.abs(solid.matrix).sum(axis=2)
    volume = sizes.prod(axis=1)
    for i in range(cuts):
        target = int(np.argmax(volume)) if draws.chance(0.7) else draws.below(len(volume))
        size, center = sizes[target], solid.center[target].copy()
        kind = draws.unit()
        if kind < 0.35:
            # A hollow: the element's own bulk, a little smaller, pushed out through one face.
            shape = draws.unit()
            scale = size * draws(0.7, 0.93)
            axis = draws.below(3)
            center[axis] += (1.0 if draws.chance(0.7) else -1.0) * (size[axis] - scale[axis]) * draws(1.1, 2.0)
        elif kind < 0.7:
            # A hole through the element along one axis.
            shape = draws.unit()
            scale = size * np.array([draws(0.2, 0.6) for _ in range(3)])
            axis = draws.below(3)
            scale[axis] = 1.5 * size[axis]
            center += size * np.array([draws(-0.5, 0.5) if j != axis else 0.0 for j in range(3)])
        else:
            shape, axis = draws.unit(), 1
            scale = np.array([draws(0.15, 0.5) for _ in range(3)])
            center += size * np.array([draws(-1.0, 1.0) for _ in range(3)])
        if shape < 0.45:
            assembly.box((0, 0, 0), (2, 2, 2), part=i, carve=True)
        elif shape < 0.8:
            assembly.cone((0, -1, 0), (0, 1, 0), 1.0, part=i, carve=True)
        else:
            assembly.ball((0, 0, 0), 1.0, part=i, carve=True)
        matrix = np.diag(scale)
        if axis != 1:
            matrix = matrix @ np.array(rotation(math.pi / 2, 0, 0) if axis == 2 else rotation(0, 0, math.pi / 2)).T
        copies.append((i, matrix, center))
    carvers = _placed(assembly.solid(), copies)
    order = np.argsort(np.concatenate((solid.kind, carvers.kind)), kind='stable')
    return Solid(*(np.concatenate(pair)[order] for pair in zip(solid, carvers)))


def _warps(draws: Draws, rng: np.random.Generator) -> list:
    """Deformations of an object of about unit reach."""
    warps: list = []
    if draws.chance(0.18):
        curvature = draws(0.2, 0.6) * (1 if draws.chance(0.5) else -1)
        along = draws.below(3)
        warps.append(Bend(curvature, along, (along + draws.between(1, 2)) % 3))
    if draws.chance(0.18):
        warps.append(Twist(draws(0.3, 1.3) * (1 if draws.chance(0.5) else -1), draws.below(3)))
    if draws.chance(0.3):
        frequency = draws(3.0, 12.0)
        warps.append(Relief.random(rng, 3, draws(0.15, 0.55) / frequency, frequency))
    return warps
