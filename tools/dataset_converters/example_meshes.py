"""Write a small folder of meshes in classes, to go through docs/tutorials/own_shapes.md with.

    python tools/dataset_converters/example_meshes.py data/own_shapes

gives data/own_shapes/{train,test}/<class>/<class>_<number> in five formats by turns, y up.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh
from trimesh import creation

_SUFFIXES = ('.ply', '.obj', '.off', '.stl', '.glb')


def _moved(mesh: trimesh.Trimesh, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> trimesh.Trimesh:
    return mesh.apply_translation((x, y, z))


def _turned(profile: list[tuple[float, float]]) -> trimesh.Trimesh:
    """A body of revolution from (radius, height) pairs."""
    return creation.revolve(np.array(profile), sections=32)


def bottle(draw: Callable[[float, float], float]) -> list[trimesh.Trimesh]:
    """A belly, a shoulder and a neck."""
    belly, neck, height = draw(0.18, 0.35), draw(0.05, 0.1), draw(0.5, 0.9)
    profile = [(0, 0), (belly, 0), (belly, height), (neck, height + draw(0.1, 0.3)), (neck, height + 0.45)]
    return [_turned([*profile, (0, height + 0.45)])]


def dumbbell(draw: Callable[[float, float], float]) -> list[trimesh.Trimesh]:
    """Two balls on a bar."""
    half, ball, bar = draw(0.4, 0.8), draw(0.2, 0.35), draw(0.05, 0.1)
    balls = [_moved(creation.icosphere(subdivisions=2, radius=ball), x=side * half) for side in (-1, 1)]
    upright = creation.cylinder(bar, 2 * half)
    return [*balls, upright.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (0, 1, 0)))]


def lamp(draw: Callable[[float, float], float]) -> list[trimesh.Trimesh]:
    """A foot, a pole and a shade that is open below and above."""
    height, wide, narrow = draw(0.7, 1.3), draw(0.3, 0.5), draw(0.1, 0.25)
    shade = [(wide, height - 0.3), (narrow, height), (narrow - 0.02, height), (wide - 0.02, height - 0.3)]
    foot = _moved(creation.cylinder(draw(0.2, 0.35), 0.06), z=0.03)
    pole = _moved(creation.cylinder(0.03, height), z=height / 2)
    return [foot, pole, _turned([*shade, shade[0]])]


def mug(draw: Callable[[float, float], float]) -> list[trimesh.Trimesh]:
    """A cup with a handle."""
    radius, height, handle = draw(0.25, 0.4), draw(0.5, 0.8), draw(0.12, 0.2)
    inner = radius - 0.04
    cup = _turned([(0, 0), (radius, 0), (radius, height), (inner, height), (inner, 0.05), (0, 0.05)])
    ring = creation.torus(handle, 0.03, major_sections=24, minor_sections=12)
    ring.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    return [cup, _moved(ring, x=radius + 0.6 * handle, z=height / 2)]


def ring(draw: Callable[[float, float], float]) -> list[trimesh.Trimesh]:
    """A torus that lies flat, pressed to an oval."""
    torus = creation.torus(0.5, draw(0.06, 0.18), major_sections=32, minor_sections=16)
    return [torus.apply_scale((draw(0.8, 1.2), draw(0.6, 0.8), draw(0.7, 1.3)))]


def table(draw: Callable[[float, float], float]) -> list[trimesh.Trimesh]:
    """A board on four legs."""
    width, depth, height, leg = draw(0.8, 1.6), draw(0.5, 0.9), draw(0.4, 0.8), draw(0.04, 0.1)
    legs = [
        _moved(creation.box((leg, leg, height)), side * (width - leg) / 2, front * (depth - leg) / 2, height / 2)
        for side in (-1, 1)
        for front in (-1, 1)
    ]
    return [*legs, _moved(creation.box((width, depth, 0.06)), z=height + 0.03)]


CLASSES = (bottle, dumbbell, lamp, mug, ring, table)


def make(label: int, rng: np.random.Generator) -> trimesh.Trimesh:
    """One mesh of a class, y up."""
    mesh = trimesh.util.concatenate(CLASSES[label](rng.uniform))
    # The parts above stand on the plane of x and y.
    return mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, help='a folder that is not there yet')
    parser.add_argument('--train', type=int, default=40, help='meshes per class')
    parser.add_argument('--test', type=int, default=10, help='meshes per class')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if args.out.exists():
        sys.exit(f'mmpt: {args.out} is there already; name another folder, or remove it.')
    counts = {'train': args.train, 'test': args.test}
    for part, (split, count) in enumerate(counts.items()):
        for label, kind in enumerate(CLASSES):
            folder = args.out / split / kind.__name__
            folder.mkdir(parents=True)
            for number in range(count):
                mesh = make(label, np.random.default_rng([args.seed, part, label, number]))
                suffix = _SUFFIXES[number % len(_SUFFIXES)]
                mesh.export(folder / f'{kind.__name__}_{number:03d}{suffix}')
    names = ', '.join(kind.__name__ for kind in CLASSES)
    print(f'{args.out}: {args.train} train and {args.test} test meshes of each of {names}')


if __name__ == '__main__':
    main()
