"""Reading the files that a sample names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from ..axes import z_up_to_y_up
from ..reading import Cloud, read_cloud, read_image
from .base import Transform, check_points, name_sample

__all__ = ['LoadImages', 'LoadPoints', 'choose_views', 'resize_image']


@TRANSFORMS.register_module()
class LoadPoints(Transform):
    """Read the cloud or the mesh of a sample from a file of any format of :func:`~mmpt.datasets.reading.read_cloud`.

    Data that hold their points already (packed ones, for example) pass through.

    Required keys: points_path, unless points or vertices are there. Optional keys: up_axis ('y' or 'z') of the file,
    which is taken out: z up is turned to y up. Added keys: points (N, 3) float32 and what
    ``feature_keys`` name; for a mesh vertices (V, 3) float32, faces (F, 3) int64 and, where they are asked for, the
    vertices' ``colors`` as vertex_colors (V, 3) uint8; ``SampleSurface`` makes points of them.

    Args:
        columns (Sequence[str] | None): what a row of a text file or of an array is, such as
            ``('x', 'y', 'z', 'nx', 'ny', 'nz')``; None for x y z, and for formats that name their columns.
        feature_keys (Sequence[str]): what is taken beside the coordinates: 'normals', 'colors', or the name of another
            column. Nothing else is, and a cloud that lacks one of them is an error.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not what its name says, has other columns, is empty or not finite, or lacks a feature.
    """

    def __init__(self, columns: Sequence[str] | None = None, feature_keys: Sequence[str] = ()) -> None:
        self.columns, self.feature_keys = None if columns is None else tuple(columns), tuple(feature_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read, and take what was asked for."""
        if 'points' in results or 'vertices' in results:
            return results
        if 'points_path' not in results:
            raise KeyError(f"LoadPoints needs 'points_path', which {name_sample(results)} does not have.")
        try:
            cloud = read_cloud(results['points_path'], self.columns)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{name_sample(results)} is in the list but its file does not exist; complete the data set or correct '
                'the list.'
            ) from error
        if results.pop('up_axis', 'y') == 'z':
            normals = None if cloud.normals is None else z_up_to_y_up(cloud.normals)
            cloud = cloud._replace(points=z_up_to_y_up(cloud.points), normals=normals)
        if cloud.faces is not None:
            return self._mesh(results, cloud)
        found = {'normals': cloud.normals, 'colors': cloud.colors, **cloud.extra}
        results['points'] = cloud.points
        for key in self.feature_keys:
            if found.get(key) is None:
                have = [name for name, value in found.items() if value is not None]
                raise ValueError(
                    f'expected {key!r} in {name_sample(results)}, got x y z and {", ".join(have) or "nothing else"}; '
                    'every file of a data set needs the same features: leave it out of feature_keys, or complete the '
                    'file.'
                )
            results[key] = found[key]
        check_points(results)
        return results

    def pack(self, results: dict[str, Any]) -> dict[str, Any]:
        """Nothing is drawn in reading, so packing reads in the same way."""
        return self.transform(results)

    def _mesh(self, results: dict[str, Any], cloud: Cloud) -> dict[str, Any]:
        results['vertices'], results['faces'] = cloud.points, cloud.faces
        if 'colors' in self.feature_keys:
            if cloud.colors is None:
                raise ValueError(
                    f"expected 'colors' of the vertices in {name_sample(results)}, got a mesh without; leave it out of "
                    'feature_keys.'
                )
            results['vertex_colors'] = cloud.colors
        return results


@TRANSFORMS.register_module()
class LoadImages(Transform):
    """Read some of the pictures of a sample; where there are too few, the rest is zero and ``has_image`` False.

    Transparent pixels are laid on white, grey pictures become RGB.

    Required keys: image_paths (a list, possibly empty) or image_bytes (the same files' bytes), rng. Added keys: images
    (K, H, W, 3) uint8 RGB, has_image (K,) bool, image_index (K,) int64 (which of the sample's pictures each one is, -1
    for none) and image_scale (K, 2) float64 (width and height of the loaded picture over those of the file).

    Args:
        num_views (int): K, how many pictures.
        size (int | tuple[int, int]): height and width that every picture is resized to, in pixels; a number for a
            square.
        random (bool): draw the pictures without replacement (training), or take the first ones (evaluation).

    Raises:
        ValueError: a file is not a picture.
    """

    required = ('rng',)

    def __init__(self, num_views: int = 1, size: int | tuple[int, int] = 224, random: bool = True) -> None:
        self.num_views, self.random = num_views, random
        self.size = (size, size) if isinstance(size, int) else tuple(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose, read and resize."""
        files = results.get('image_bytes', results.get('image_paths'))
        if files is None:
            raise KeyError(f"LoadImages needs 'image_paths' or 'image_bytes', {name_sample(results)} has neither.")
        chosen = choose_views(len(files), self.num_views, results['rng'] if self.random else None)
        results['images'] = np.zeros((self.num_views, *self.size, 3), np.uint8)
        results['has_image'] = np.arange(self.num_views) < len(chosen)
        results['image_index'] = np.full(self.num_views, -1)
        results['image_scale'] = np.ones((self.num_views, 2))
        for k, view in enumerate(chosen):
            picture = _read(files[view], results)
            results['images'][k] = resize_image(picture, self.size)
            results['image_index'][k] = view
            results['image_scale'][k] = self.size[1] / picture.shape[1], self.size[0] / picture.shape[0]
        return results

    def pack(self, results: dict[str, Any]) -> dict[str, Any]:
        """Keep the bytes of all files, none decoded: which one is used is drawn later, and they are small so."""
        if 'image_bytes' not in results:
            paths = results.pop('image_paths', [])
            results['image_bytes'] = [Path(path).read_bytes() for path in paths]
        return results


def choose_views(available: int, wanted: int, rng: np.random.Generator | None) -> list[int]:
    """At most ``wanted`` of ``available`` views: drawn without replacement, or the first where ``rng`` is None."""
    count = min(available, wanted)
    if rng is None:
        return list(range(count))
    return [int(view) for view in rng.permutation(available)[:count]]


def resize_image(image: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Resize (H, W, 3) uint8 to a height and width, or to a square; area averaging when it shrinks, linear else."""
    height, width = (size, size) if isinstance(size, int) else size
    if image.shape[:2] == (height, width):
        return image
    import cv2

    shrinks = height < image.shape[0] and width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _read(file: str | bytes, results: dict[str, Any]) -> np.ndarray:
    try:
        return read_image(file)
    except ValueError as error:
        raise ValueError(
            f'{error} It belongs to {name_sample(results)}: without the file the sample is taken without a picture.'
        ) from error
