"""Colours of a mesh: materials of MTL files, and textures at places of a picture."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from ..paths import inside
from .checks import read_bytes
from .images import read_image

__all__ = ['Material', 'read_materials', 'sample_texture']


class Material(NamedTuple):
    """What a surface looks like, without light.

    Attributes:
        color (np.ndarray): (3,) uint8 RGB.
        texture (np.ndarray | None): (H, W, 3) uint8 RGB, which takes the place of the colour.
    """

    color: np.ndarray
    texture: np.ndarray | None = None


def read_materials(obj: str | os.PathLike, names: list[str]) -> dict[str, Material]:
    """Read the material files that an .obj file names, as far as they are there.

    Colours are an addition to a mesh: a file that is missing or damaged, or that lies outside of the folder of the .obj
    file and is therefore never opened, leaves its material out.

    Args:
        obj (str | PathLike): the .obj file.
        names (list[str]): the files behind ``mtllib``.

    Returns:
        dict[str, Material]: by name.
    """
    folder = os.path.dirname(os.fspath(obj)) or '.'
    found: dict[str, Material] = {}
    textures: dict[str, np.ndarray | None] = {}
    for name in names:
        try:
            text = read_bytes(inside(folder, name, os.fspath(obj)), 'materials').decode('utf-8', 'replace')
        except (OSError, ValueError):
            continue
        current = None
        for words in map(str.split, text.split('\n')):
            key = words[0].lower() if len(words) > 1 else ''
            if key == 'newmtl':
                current = ' '.join(words[1:])
                found[current] = Material(np.full(3, 255, np.uint8))
            elif key == 'kd' and current is not None:
                found[current] = found[current]._replace(color=_color(words[1:4], found[current].color))
            elif key == 'map_kd' and current is not None:
                # Options stand before the name, and only a line without any can hold a name with blanks.
                texture = words[-1] if words[1].startswith('-') else ' '.join(words[1:])
                if texture not in textures:
                    textures[texture] = _read_texture(folder, texture, obj)
                found[current] = found[current]._replace(texture=textures[texture])
    return found


def _color(words: list[str], default: np.ndarray) -> np.ndarray:
    try:
        values = np.array(words, np.float64)
    # A spectrum or CIE colours instead of three numbers.
    except ValueError:
        return default
    if values.shape != (3,) or not np.isfinite(values).all():
        return default
    return np.rint(values.clip(0, 1) * 255).astype(np.uint8)


def _read_texture(folder: str, name: str, obj: str | os.PathLike) -> np.ndarray | None:
    try:
        return read_image(inside(folder, name, os.fspath(obj)))
    except (OSError, ValueError):
        return None


def sample_texture(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The nearest pixels at places of a picture that repeats itself.

    Args:
        texture (np.ndarray): (H, W, 3) uint8.
        u (np.ndarray): (N,) from 0 at the left to 1 at the right.
        v (np.ndarray): (N,) from 0 at the top to 1 at the bottom.

    Returns:
        np.ndarray: (N, 3) uint8.
    """
    height, width = texture.shape[:2]
    # Places from 0 to 1 are taken as they are, so that 1 is the last pixel and not the first of a repetition.
    u, v = (np.where((place >= 0) & (place <= 1), place, np.mod(place, 1)) for place in (u, v))
    columns = np.minimum((u * width).astype(np.int64), width - 1)
    rows = np.minimum((v * height).astype(np.int64), height - 1)
    return texture[rows, columns]
