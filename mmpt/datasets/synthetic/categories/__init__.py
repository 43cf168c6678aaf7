"""Parametric categories: classes a person recognises, with a part label for every point."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..assembly import Assembly, rotation
from ..sampler import sample
from ..seeds import Draws, generator
from ..shape import Shape, normalize
from ..warps import Bend, Relief
from . import furniture, seating, things, vehicles, vessels

__all__ = ['CATEGORIES', 'Category', 'category_shape']

_STREAM = 102


class Category(NamedTuple):
    """One class.

    Attributes:
        name: what a person calls it.
        part_names: names of the parts; the position is the part's id.
        build: draws an object of the class, at about its real proportions, y up, front +z.
        lies: how often the object lies on its back or on a side, as things that are carried about do.
    """

    name: str
    part_names: tuple[str, ...]
    build: Callable[[Draws], Assembly]
    lies: float = 0.0


CATEGORIES: tuple[Category, ...] = (
    Category('chair', ('seat', 'back', 'base', 'arm'), seating.chair),
    Category('stool', ('seat', 'back', 'base'), seating.stool, 0.1),
    Category('bench', ('seat', 'back', 'base', 'arm'), seating.bench),
    Category('sofa', ('seat', 'back', 'base', 'arm'), seating.sofa),
    Category('bed', ('mattress', 'headboard', 'frame', 'pillow'), furniture.bed),
    Category('table', ('top', 'base', 'shelf'), furniture.table),
    Category('desk', ('top', 'base', 'storage'), furniture.desk),
    Category('shelf', ('board', 'side', 'panel'), furniture.shelf),
    Category('cabinet', ('body', 'front', 'handle', 'base'), furniture.cabinet),
    Category('piano', ('body', 'keys', 'base', 'lid'), furniture.piano),
    Category('lamp', ('shade', 'stem', 'base', 'bulb'), things.lamp, 0.1),
    Category('monitor', ('screen', 'stand', 'accessory'), things.monitor),
    Category('toilet', ('bowl', 'seat', 'cistern', 'base'), things.toilet),
    Category('bathtub', ('tub', 'base', 'tap'), vessels.bathtub),
    Category('mug', ('body', 'handle', 'accessory'), vessels.mug, 0.15),
    Category('bottle', ('body', 'neck', 'cap'), vessels.bottle, 0.25),
    Category('vase', ('body', 'foot', 'ear', 'flower'), vessels.vase, 0.1),
    Category('flower_pot', ('pot', 'plant', 'saucer'), vessels.flower_pot),
    Category('guitar', ('body', 'neck', 'head', 'detail'), things.guitar, 0.35),
    Category('umbrella', ('canopy', 'pole', 'grip'), things.umbrella, 0.3),
    Category('headphones', ('band', 'cup', 'cushion', 'cord'), things.headphones, 0.4),
    Category('knife', ('blade', 'handle', 'guard'), things.knife, 0.5),
    Category('aeroplane', ('fuselage', 'wing', 'tail', 'engine'), vehicles.aeroplane),
    Category('car', ('body', 'cabin', 'wheel', 'accessory'), vehicles.car),
    Category('ship', ('hull', 'house', 'mast', 'sail'), vehicles.ship),
    Category('rocket', ('body', 'nose', 'fin', 'nozzle'), vehicles.rocket, 0.3),
    Category('skateboard', ('deck', 'truck', 'wheel', 'handlebar'), vehicles.skateboard, 0.35),
)


def category_shape(seed: int, index: int, category: int, num_points: int = 1024) -> Shape:
    """One object of a class; a function of the arguments alone, the same in every process.

    The object keeps its canonical pose (y up, front +z; some portable things also lie, see ``Category.lies``). It is
    scaled by exp(N(0, 0.25)) along each axis, tilted by N(0, 5 degrees) about each, and sometimes sheared, bent or
    given relief, so that proportions overlap between classes.

    Args:
        seed: integer from 0; use ``stream_seed`` so that splits never share one.
        index: integer from 0, number of the object.
        category: index into ``CATEGORIES``.
        num_points: N. Another N is another draw of points of the same object.

    Returns:
        Shape with points and normals (N, 3) float32 in the unit sphere, and parts (N,) int64, an index into the
        category's ``part_names``; not every object has every part.
    """
    rng = generator(_STREAM, seed, index, category)
    draws = Draws(rng)
    solid = CATEGORIES[category].build(draws).solid()
    reach = np.abs(solid.matrix).sum(axis=2)
    low, high = (solid.center - reach).min(axis=0), (solid.center + reach).max(axis=0)
    scale = 2.0 / float((high - low).max())

    matrix = np.diag([scale * draws.scale(0.25) for _ in range(3)])
    if draws.chance(0.3):
        shear = np.eye(3)
        # Along the floor only: furniture leans, it does not climb.
        shear[2 * draws.below(2), 1] = draws.normal(0.12)
        matrix = shear @ matrix
    if draws.chance(CATEGORIES[category].lies):
        quarter = 0.5 * math.pi if draws.chance(0.5) else -0.5 * math.pi
        matrix = np.array(rotation(rx=quarter) if draws.chance(0.5) else rotation(rz=quarter)).T @ matrix
    tilt = np.array(rotation(draws.normal(0.09), draws.normal(0.09), draws.normal(0.09))).T
    matrix = tilt @ matrix
    solid = solid.mapped(matrix, -0.5 * matrix @ (low + high))

    warps: list = []
    if draws.chance(0.35):
        warps.append(Bend(draws(0.1, 0.4) * (1 if draws.chance(0.5) else -1), draws.below(2), 2))
    if draws.chance(0.4):
        frequency = draws(2.0, 9.0)
        warps.append(Relief.random(rng, 3, draws(0.1, 0.45) / frequency, frequency))
    points, normals, parts = sample(solid, rng, num_points, warps, oversample=1.6)
    return Shape(normalize(points), normals, parts)
