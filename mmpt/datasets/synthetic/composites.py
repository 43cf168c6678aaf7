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
    if draws.chance(0.35):
        solid = _carved(solid, draws)
    warps = _warps(draws, rng)
    if loose or draws.chance(0.3):
        solid = solid.mapped(_turn(draws))
    points, normals, _ = sample(solid, rng, num_points, warps, oversample=1.7)
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


def _extents(draws: Draws) -> list[float]:
    """Half extents of an element: a block, a plate or a rod."""
    form = draws.unit()
    size = [draws(0.25, 1.0) for _ in range(3)]
    if form < 0.4:
        size[draws.below(3) if draws.chance(0.5) else 1] = draws(0.02, 0.08)
    elif form < 0.65:
        thin = draws(0.025, 0.1)
        keep = draws.below(3)
        size = [s if j == keep else thin * draws.scale(0.2) for j, s in enumerate(size)]
    return size


def _built(draws: Draws) -> Solid:
    """Axis-aligned elements, stacked or attached, with mirror images and repetitions."""
    count = draws.between(1, 9)
    symmetric = draws.chance(0.6)
    mirror_z = draws.chance(0.3)
    budget = 24
    copies: list = []
    low, high = np.zeros(3), np.zeros(3)
    for i in range(count):
        size = np.array(_extents(draws))
        matrix = np.diag(size)
        if draws.chance(0.3):
            # Lay the primitive's own axis along x or z.
            matrix = matrix @ np.array(rotation(*((math.pi / 2, 0, 0) if draws.chance(0.5) else (0, 0, math.pi / 2)))).T
        if draws.chance(0.15):
            matrix = np.array(rotation(draws.normal(0.3), draws.normal(0.3), draws.normal(0.3))).T @ matrix
        if i == 0:
            offset = np.zeros(3)
        else:
            # Touch the box around everything so far on one face, with a little overlap, most often above or below.
            axis = 1 if draws.chance(0.55) else 2 * draws.below(2)
            span = high - low
            offset = low + span * np.array([draws.unit(), draws.unit(), draws.unit()])
            if draws.chance(0.5):
                offset[0] = 0.0
            if draws.chance(0.4):
                offset[2] = 0.5 * (low[2] + high[2])
            sink = 0.9 * size[axis] if draws.chance(0.85) else 0.0
            offset[axis] = high[axis] + sink if draws.chance(0.5) else low[axis] - sink
        images = [(matrix, offset)]
        if i > 0 or count == 1:
            images = _repeated(images, draws, high - low, size)
        if symmetric and abs(offset[0]) > 1e-6:
            flip = np.diag([-1.0, 1.0, 1.0])
            images += [(flip @ m, flip @ o) for m, o in images]
        if mirror_z and abs(offset[2]) > 1e-6:
            flip = np.diag([1.0, 1.0, -1.0])
            images += [(flip @ m, flip @ o) for m, o in images]
        images = images[: max(1, budget)]
        budget -= len(images)
        for m, o in images:
            copies.append((i, m, o))
            low = np.minimum(low, o - np.abs(m).sum(axis=1))
            high = np.maximum(high, o + np.abs(m).sum(axis=1))
    return _placed(_primitives(draws, count), copies)


def _repeated(images: list, draws: Draws, span: np.ndarray, size: np.ndarray) -> list:
    """With some probability a row or a ring of equal elements instead of one."""
    kind = draws.unit()
    (matrix, offset) = images[0]
    if kind < 0.22:
        axis, number = draws.below(3), draws.between(2, 6)
        step = max(2.0 * size[axis] * draws(1.1, 2.5), span[axis] / number)
        shift = np.zeros(3)
        shift[axis] = step
        return [(matrix, offset + (j - 0.5 * (number - 1)) * shift) for j in range(number)]
    if kind < 0.34:
        number = draws.between(3, 6)
        away = np.array([max(0.3, math.hypot(offset[0], offset[2])), offset[1], 0.0])
        turns = [np.array(rotation(0.0, 2.0 * math.pi * j / number, 0.0)).T for j in range(number)]
        return [(turn @ matrix, turn @ away) for turn in turns]
    return images


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
