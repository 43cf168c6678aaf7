"""Reading the files that a sample names."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, check_points, name_sample

__all__ = ['LoadImages', 'LoadPoints', 'choose_views', 'resize_image']


@TRANSFORMS.register_module()
class LoadPoints(Transform):
    """Read the cloud of a sample from a ``.npy`` file.

    Required keys: points_path. Added keys: points (N, 3) float32; normals (N, 3) float32 where ``channels`` is 6.

    Args:
        channels (int): what a row of the file holds: 3 for x y z, 6 for x y z and a unit normal.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a plain array, or has another shape, is empty or not finite.
    """

    required = ('points_path',)

    def __init__(self, channels: int = 3) -> None:
        if channels not in (3, 6):
            raise ValueError(f'LoadPoints(channels={channels}): expected 3 (x y z) or 6 (x y z and a normal).')
        self.channels = channels

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read, check and split the array."""
        name = name_sample(results)
        try:
            array = np.load(results['points_path'], allow_pickle=False)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{name} is in the list but its file does not exist; complete the data set or correct the list.'
            ) from error
        except (ValueError, EOFError) as error:
            raise ValueError(f'{name} is not a plain .npy array of numbers ({error}); write it again.') from error
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in 'fiu':
            found = getattr(array, 'shape', type(array).__name__)
            raise ValueError(f'expected an array of numbers (N, {self.channels}) in {name}, got {found}.')
        if array.shape[1] != self.channels:
            raise ValueError(
                f'expected {self.channels} channels in {name}, got an array {array.shape}; '
                'set `channels` of LoadPoints to what the files hold (3, or 6 with normals).'
            )
        array = array.astype(np.float32)
        results['points'] = array[:, :3]
        if self.channels == 6:
            results['normals'] = array[:, 3:]
        check_points(results)
        return results


@TRANSFORMS.register_module()
class LoadImages(Transform):
    """Read some of the pictures of a sample; where there are too few, the rest is zero and ``has_image`` False.

    Transparent pixels are laid on white, grey pictures become RGB.

    Required keys: image_paths (a list, possibly empty), rng. Added keys: images (K, size, size, 3) uint8 RGB,
    has_image (K,) bool.

    Args:
        num_views (int): K, how many pictures.
        size (int): edge of the square that every picture is resized to, in pixels.
        random (bool): draw the pictures without replacement (training), or take the first ones (evaluation).

    Raises:
        ValueError: a file is not a picture.
    """

    required = ('image_paths', 'rng')

    def __init__(self, num_views: int = 1, size: int = 224, random: bool = True) -> None:
        self.num_views, self.size, self.random = num_views, size, random

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose, read and resize."""
        paths = results['image_paths']
        chosen = choose_views(len(paths), self.num_views, results['rng'] if self.random else None)
        results['images'] = np.zeros((self.num_views, self.size, self.size, 3), np.uint8)
        results['has_image'] = np.arange(self.num_views) < len(chosen)
        for k, view in enumerate(chosen):
            picture = _read_rgb(paths[view], results)
            results['images'][k] = resize_image(picture, self.size)
        return results


def choose_views(available: int, wanted: int, rng: np.random.Generator | None) -> list[int]:
    """At most ``wanted`` of ``available`` views: drawn without replacement, or the first where ``rng`` is None."""
    count = min(available, wanted)
    if rng is None:
        return list(range(count))
    return [int(view) for view in rng.permutation(available)[:count]]


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Resize (H, W, 3) uint8 to (size, size, 3); area averaging when it shrinks, linear when it grows."""
    if image.shape[:2] == (size, size):
        return image
    import cv2

    shrinks = size < min(image.shape[:2])
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _read_rgb(path: str, results: dict[str, Any]) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB on white."""
    import cv2

    image = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8:
        found = 'nothing that can be read' if image is None else f'pixels of type {image.dtype}'
        raise ValueError(
            f'expected an 8-bit picture at {path} for {name_sample(results)}, got {found}; '
            'delete the file (the sample is then taken without it) or write it again.'
        )
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    rgb = image[:, :, 2::-1]
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.float32) / 255
        rgb = np.rint(rgb * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(rgb)
