"""Rooms in metres: floor, ceiling, four walls, and furniture of the categories that stands on the floor."""

from __future__ import annotations

import colorsys
import math
from typing import NamedTuple

import numpy as np

from .assembly import Solid
from .categories import CATEGORIES
from .sampler import sample, surface_area
from .seeds import Draws, generator

__all__ = ['FURNITURE', 'MAX_FURNITURE', 'ROOM_CLASSES', 'Room', 'make_room']

_STREAM = 103
#: Classes that furnish a room -> whether their back stands at a wall. Their builders work in metres already.
FURNITURE = {
    'chair': False,
    'sofa': True,
    'bed': True,
    'table': False,
    'desk': True,
    'shelf': True,
    'cabinet': True,
    'piano': True,
    'lamp': False,
    'flower_pot': False,
}
#: By label. Furniture comes first, so that the label of a box is that of its points.
ROOM_CLASSES = (*FURNITURE, 'wall', 'floor', 'ceiling')
MIN_FURNITURE, MAX_FURNITURE = 3, 8

_BUILD = {category.name: category.build for category in CATEGORIES}
# Canonical poses are y up and face +z; at yaw 0 furniture faces -y of the room.
_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
# Between two objects, and between an object and a wall, in metres.
_GAP = 0.05
# Points of an object that its box is measured on, objects drawn for a room, and places tried for each of them.
_MEASURED, _OBJECTS, _PLACES = 2048, 40, 20
_LIGHT = np.array([0.3, 0.2, 0.93])


class Room(NamedTuple):
    """One room: z up, metres, a corner of the floor at 0 0 0, walls along x and y.

    Attributes:
        points: (N, 3) float32, in random order.
        colors: (N, 3) uint8 RGB.
        semantic: (N,) int64, index into ``ROOM_CLASSES``.
        instance: (N,) int64, the object; 0 to K-1 are the furniture in the order of the boxes, then floor, ceiling and
            the four walls.
        boxes: (K, 7) float32, centre, size in the object's own frame, and yaw about z (radians, counterclockwise);
            measured on 2,048 points of the object's surface.
        box_labels: (K,) int64, index into ``ROOM_CLASSES``.
    """

    points: np.ndarray
    colors: np.ndarray
    semantic: np.ndarray
    instance: np.ndarray
    boxes: np.ndarray
    box_labels: np.ndarray


def make_room(seed: int, index: int, num_points: int = 20000) -> Room:
    """A room of 3 to 6 m by 3 to 6 m by 2.4 to 3 m with 3 to 8 pieces of furniture, no two boxes of which overlap.

    Points lie on all surfaces alike, by area, those that a scanner would not see among them. Every object has a colour,
    a little darker where it faces away from a lamp above, with noise.

    Args:
        seed: integer from 0; use ``stream_seed`` so that splits never share one.
        index: integer from 0, number of the room.
        num_points: N. Another N is another draw of points of the same room.

    Returns:
        Room: a function of the arguments alone, the same in every process.
    """
    rng = generator(_STREAM, seed, index)
    draws = Draws(rng)
    size = np.array([draws(3.0, 6.0), draws(3.0, 6.0), draws(2.4, 3.0)])
    solids, boxes, labels = _furnish(size, rng, draws)
    planes = _planes(size)
    areas = [surface_area(solid, rng) for solid in solids]
    areas += [float(np.linalg.norm(u) * np.linalg.norm(v)) for _, _, u, v, _ in planes]
    counts = rng.multinomial(num_points, np.array(areas) / sum(areas))
    classes = [*labels, *(ROOM_CLASSES.index(plane[0]) for plane in planes)]
    wall = _tone(draws, (0.0, 0.15), (0.75, 0.95))

    points, normals, base = [], [], []
    for solid, count in zip(solids, counts):
        found = sample(solid, rng, max(int(count), 1))
        points.append(found[0][:count])
        normals.append(found[1][:count])
        base.append(_tone(draws, (0.25, 0.8), (0.3, 0.9)))
    for (name, origin, u, v, normal), count in zip(planes, counts[len(solids) :]):
        points.append(origin + rng.random((count, 1)) * u + rng.random((count, 1)) * v)
        normals.append(np.broadcast_to(normal, (count, 3)))
        base.append({'wall': wall, 'floor': _tone(draws, (0.1, 0.5), (0.35, 0.7))}.get(name, np.full(3, 245.0)))

    instance = np.repeat(np.arange(len(counts)), counts)
    shade = 0.85 + 0.15 * np.concatenate(normals) @ _LIGHT
    colors = np.array(base)[instance] * shade[:, None] + rng.normal(scale=6.0, size=(num_points, 3))
    order = rng.permutation(num_points)
    return Room(
        points=np.concatenate(points).astype(np.float32)[order],
        colors=np.clip(np.rint(colors), 0, 255).astype(np.uint8)[order],
        semantic=np.array(classes, np.int64)[instance][order],
        instance=instance.astype(np.int64)[order],
        boxes=np.array(boxes, np.float32),
        box_labels=np.array(labels, np.int64),
    )


def _furnish(size: np.ndarray, rng: np.random.Generator, draws: Draws) -> tuple[list[Solid], list[np.ndarray], list]:
    """Solids in the frame of the room, their boxes (7,) and labels."""
    wanted = draws.between(MIN_FURNITURE, MAX_FURNITURE)
    names = tuple(FURNITURE)
    solids, boxes, labels = [], [], []
    for _ in range(_OBJECTS):
        if len(boxes) == wanted:
            break
        label = draws.below(len(names))
        matrix = draws.scale(0.08) * _Z_UP
        solid = _BUILD[names[label]](draws).solid().mapped(matrix)
        surface = sample(solid, rng, _MEASURED)[0].astype(np.float64)
        low, high = surface.min(axis=0), surface.max(axis=0)
        box = _place(high - low, size, FURNITURE[names[label]], boxes, draws)
        if box is None:
            continue
        turn = _turn(box[6])
        # The middle of the box goes to its place, its lowest point to the floor.
        solids.append(solid.mapped(turn, box[:3] - turn @ ((low + high) / 2)))
        boxes.append(box)
        labels.append(label)
    return solids, boxes, labels


def _place(
    extent: np.ndarray, room: np.ndarray, at_wall: bool, others: list[np.ndarray], draws: Draws
) -> np.ndarray | None:
    """A box (7,) on the floor that is in the room and overlaps none of the others; None where none is found."""
    for _ in range(_PLACES):
        yaw = 0.5 * math.pi * draws.below(4) if at_wall else draws(0.0, 2 * math.pi)
        half = np.abs(_turn(yaw)[:2, :2]) @ extent[:2] / 2 + _GAP
        if (2 * half > room[:2]).any() or extent[2] > room[2] - _GAP:
            continue
        centre = np.array([draws(half[axis], room[axis] - half[axis]) for axis in range(2)])
        if at_wall:
            front = np.rint([math.sin(yaw), -math.cos(yaw)])
            centre = np.where(front > 0, half, np.where(front < 0, room[:2] - half, centre))
        box = np.array([*centre, extent[2] / 2, *extent, yaw])
        if all(_apart(box, other) for other in others):
            return box
    return None


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two boxes that stand on the floor leave a gap: some side of one has all of the other beyond it."""
    axes = np.concatenate([_turn(a[6])[:2, :2].T, _turn(b[6])[:2, :2].T])
    reach = sum(np.abs(axes @ _turn(box[6])[:2, :2]) @ box[3:5] / 2 for box in (a, b))
    return bool((np.abs(axes @ (a[:2] - b[:2])) > reach + _GAP).any())


def _turn(yaw: float) -> np.ndarray:
    cos, sin = math.cos(yaw), math.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _planes(size: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Name, corner, two edges and the normal, which points into the room: floor, ceiling, walls."""
    x, y, z = np.diag(size)
    corner, (i, j, k) = np.zeros(3), np.eye(3)
    return [
        ('floor', corner, x, y, k),
        ('ceiling', z, x, y, -k),
        ('wall', corner, x, z, j),
        ('wall', y, x, z, -j),
        ('wall', corner, y, z, i),
        ('wall', x, y, z, -i),
    ]


def _tone(draws: Draws, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
    """A colour (3,) of any hue, 0 to 255."""
    return 255 * np.array(colorsys.hsv_to_rgb(draws.unit(), draws(*saturation), draws(*value)))
