"""Changing pictures; those that are missing stay zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, name_sample
from .loading import resize_image

__all__ = ['ColorJitter', 'RandomFlip', 'ResizeImages']

# Luma weights of ITU-R BT.601.
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@TRANSFORMS.register_module()
class ResizeImages(Transform):
    """Resize every picture to a square.

    Required keys: images. Modified keys: images (K, size, size, 3) uint8; image_scale where :class:`LoadImages` wrote
    it.

    Args:
        size (int): edge, in pixels.

    Raises:
        ValueError: points are paired with pixels of the pictures as they are.
    """

    required = ('images',)

    def __init__(self, size: int) -> None:
        self.size = size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize one by one."""
        if 'pairs' in results:
            raise ValueError(
                f'ResizeImages would leave the pairs of {name_sample(results)} behind, which name pixels of the '
                'pictures as they are; place ProjectPoints behind it.'
            )
        if 'image_scale' in results:
            height, width = results['images'].shape[1:3]
            results['image_scale'] = results['image_scale'] * (self.size / width, self.size / height)
        resized = [resize_image(image, self.size) for image in results['images']]
        results['images'] = np.stack(resized) if resized else np.zeros((0, self.size, self.size, 3), np.uint8)
        return results


@TRANSFORMS.register_module()
class ColorJitter(Transform):
    """Change brightness, contrast and saturation of every picture, in random order.

    Each factor is drawn from U(1 - x, 1 + x). CrossPoint (arXiv 2203.00680) uses 0.4 for all three and no hue.

    Required keys: images, has_image, rng. Modified keys: images.

    Args:
        brightness (float): x of the blend with black.
        contrast (float): x of the blend with the mean grey of the picture.
        saturation (float): x of the blend with the grey picture.
    """

    required = ('images', 'has_image', 'rng')

    def __init__(self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4) -> None:
        self.strengths = np.array([brightness, contrast, saturation])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw for every picture on its own."""
        images = results['images'].copy()
        for k in np.flatnonzero(results['has_image']):
            factors = 1 + self.strengths * results['rng'].uniform(-1, 1, size=3)
            image = images[k].astype(np.float32)
            for which in results['rng'].permutation(3):
                image = self._blend(image, int(which), float(max(0.0, factors[which])))
            images[k] = np.rint(image).astype(np.uint8)
        results['images'] = images
        return results

    @staticmethod
    def _blend(image: np.ndarray, which: int, factor: float) -> np.ndarray:
        if which == 0:
            return np.clip(image * factor, 0, 255)
        grey = image @ _GREY
        other = grey.mean() if which == 1 else grey[..., None]
        return np.clip(other + factor * (image - other), 0, 255)


@TRANSFORMS.register_module()
class RandomFlip(Transform):
    """Mirror pictures left to right; each picture on its own.

    Required keys: images, has_image, rng. Modified keys: images; pairs (the columns) where there are any. Added keys:
    image_flip (K,) bool, True where a picture is the mirror image of its file, which ``ProjectPoints`` asks for.

    Args:
        prob (float): probability.
    """

    required = ('images', 'has_image', 'rng')

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw for every picture."""
        flip = results['rng'].random(len(results['images'])) < self.prob
        results['images'] = np.where(flip[:, None, None, None], results['images'][:, :, ::-1], results['images'])
        results['image_flip'] = results.get('image_flip', False) ^ flip
        if 'pairs' in results:
            pairs = results['pairs'].copy()
            turned = flip[pairs[:, 1]]
            pairs[turned, 3] = results['images'].shape[2] - 1 - pairs[turned, 3]
            results['pairs'] = pairs
        return results
