"""The last step: arrays become the tensors that the model is promised."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmpt.registry import TRANSFORMS
from mmpt.structures import PointDataSample

from .base import Transform, check_points, name_sample

__all__ = ['PackInputs']

_META_KEYS = ('sample_id', 'index', 'epoch', 'split', 'class_name', 'caption', 'skipped', 'removed', 'viewpoint')
# Arrays that are no inputs: answers, and colours for pictures; and the type they travel in.
_BESIDE = {
    'colors': np.uint8,
    'parts': np.int64,
    'semantic': np.int64,
    'instance': np.int64,
    'inverse': np.int64,
    'scene_semantic': np.int64,
    'boxes': np.float32,
    'box_labels': np.int64,
    'complete': np.float32,
}
_VIEW = re.compile(r'points_view[0-9]+')


@TRANSFORMS.register_module()
class PackInputs(Transform):
    """Pack a sample as contract 1 of the architecture says.

    Required keys: points; every one of ``feature_keys``; images and has_image where ``image_views`` is not 0 and the
    sample has any. Returns ``inputs``: points (N, 3+F) float32, points_view2 and further views likewise where there are
    any, images (K, 3, H, W) uint8 RGB and has_image (K,) bool where asked for, pairs (P, 4) int64 (point, view, row,
    column) where points were projected; and ``data_samples``, a :class:`~mmpt.structures.PointDataSample` with what it
    documents and the sample has.

    Args:
        feature_keys (Sequence[str]): per-point features that follow x y z, in this order, such as ``('normals',)``.
        image_views (int): K, the fixed number of pictures; 0 for none.
        image_size (int | tuple[int, int] | None): H and W in pixels, a number for a square; needed where
            ``image_views`` is not 0. A sample without pictures gets zeros and has_image False, so that every
            batch has the same shape.

    Raises:
        KeyError: a feature is missing.
        ValueError: an array has another shape than promised.
    """

    required = ('points',)

    def __init__(
        self, feature_keys: Sequence[str] = (), *, image_views: int = 0, image_size: int | tuple[int, int] | None = None
    ) -> None:
        if image_views and not image_size:
            raise ValueError(f'PackInputs(image_views={image_views}) needs image_size, in pixels.')
        self.feature_keys = tuple(feature_keys)
        self.image_views = image_views
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else image_size
        self.metainfo = {'feature_keys': self.feature_keys}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Check and convert."""
        check_points(results)
        views = [key.removeprefix('points') for key in results if _VIEW.fullmatch(key)]
        inputs = {f'points{suffix}': self._points(results, suffix) for suffix in ('', *views)}
        if self.image_views:
            inputs['images'], inputs['has_image'] = self._images(results)
        if 'pairs' in results:
            inputs['pairs'] = torch.from_numpy(results['pairs'].astype(np.int64))
        sample = PointDataSample(metainfo={key: results[key] for key in _META_KEYS if key in results})
        if 'label' in results:
            sample.set_field(int(results['label']), 'label')
        for key, dtype in _BESIDE.items():
            if key in results:
                sample.set_field(torch.from_numpy(results[key].astype(dtype)), key)
        return {'inputs': inputs, 'data_samples': sample}

    def _points(self, results: dict[str, Any], suffix: str) -> torch.Tensor:
        columns = [results[f'points{suffix}']]
        for key in self.feature_keys:
            if f'{key}{suffix}' not in results:
                raise KeyError(
                    f'PackInputs(feature_keys={self.feature_keys}) needs {key + suffix!r}, which '
                    f'{name_sample(results)} does not have; remove it from feature_keys or use data that carry it.'
                )
            feature = results[f'{key}{suffix}']
            if feature.dtype == np.uint8:
                # Colours: 0..255 on disk, 0..1 for the network.
                feature = feature / np.float32(255)
            columns.append(feature.reshape(len(feature), -1))
        return torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32))

    def _images(self, results: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        expected = (self.image_views, *self.image_size, 3)
        images = results.get('images', np.zeros(expected, np.uint8))
        has_image = results.get('has_image', np.zeros(self.image_views, bool))
        if images.shape != expected or images.dtype != np.uint8 or has_image.shape != expected[:1]:
            raise ValueError(
                f'expected images {expected} uint8 and has_image {expected[:1]} in {name_sample(results)}, got '
                f'{images.shape} {images.dtype} and {has_image.shape}; make image_views and image_size of PackInputs '
                'agree with the pipeline (num_views and size of LoadImages, PickViews, ResizeImages or RenderViews).'
            )
        return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), torch.from_numpy(has_image)
