"""From a list of samples (contract 1) to a batch on the device (contract 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmpt.registry import MODELS

__all__ = ['PointDataPreprocessor']


@MODELS.register_module()
class PointDataPreprocessor(BaseDataPreprocessor):
    """Stack, check, move to the device, normalise images.

    Args:
        channels (int | None): channels a point must have, 3 + F; not checked when None.
        image_mean (Sequence[float]): of the three colours in 0..255.
        image_std (Sequence[float]): likewise.
        non_blocking (bool): asynchronous copies from pinned memory.
    """

    def __init__(
        self,
        channels: int | None = None,
        image_mean: Sequence[float] = (123.675, 116.28, 103.53),
        image_std: Sequence[float] = (58.395, 57.12, 57.375),
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        self.channels = channels
        self.register_buffer('image_mean', torch.tensor(image_mean).view(1, 1, 3, 1, 1), persistent=False)
        self.register_buffer('image_std', torch.tensor(image_std).view(1, 1, 3, 1, 1), persistent=False)

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        """Make a batch.

        Args:
            data (Mapping[str, Any]): ``inputs``: a dict of lists (or stacked tensors) of contract 1;
                ``data_samples``: a list, optional.
            training (bool): unused; the batch is made alike in training and evaluation.

        Returns:
            dict[str, Any]: ``inputs`` of contract 2 on the device and ``data_samples``; beside ``has_image`` (B, K)
            stand ``image_views`` (R',), the present ones among the B * K images, and ``image_rows`` (R,), the samples
            with at least one.

        Raises:
            ValueError: clouds that cannot be stacked, a wrong channel count, coordinates that are not finite.
        """
        samples = data.get('data_samples')
        inputs = {key: self._stack(key, value, samples) for key, value in data['inputs'].items()}
        for key in ('points', 'points_view2'):
            if key in inputs:
                self._check_points(key, inputs[key], samples)
        if 'has_image' in inputs:
            # Found here, on the host: the shape of what follows depends on it, and the device would have to be asked.
            inputs['image_views'] = inputs['has_image'].flatten().nonzero().squeeze(1)
            inputs['image_rows'] = inputs['has_image'].any(1).nonzero().squeeze(1)
        inputs = {key: value.to(self.device, non_blocking=self._non_blocking) for key, value in inputs.items()}
        if 'images' in inputs:
            inputs['images'] = (inputs['images'].float() - self.image_mean) / self.image_std
        return {'inputs': inputs, 'data_samples': samples}

    def _stack(self, key: str, value: Any, samples: Any) -> Tensor:
        if isinstance(value, Tensor):
            return value
        shapes = [tuple(item.shape) for item in value]
        if len(set(shapes)) > 1:
            other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            raise ValueError(
                f'{key}: sample {_name(samples, 0)} has shape {shapes[0]}, sample {_name(samples, other)} has '
                f'{shapes[other]}; a batch needs one shape: sample a fixed number of points (RandomSample), and set '
                'feature_keys of PackInputs so that every cloud has the same channels.'
            )
        return torch.stack(list(value))

    def _check_points(self, key: str, points: Tensor, samples: Any) -> None:
        if points.dim() != 3 or points.shape[-1] < 3 or (self.channels and points.shape[-1] != self.channels):
            wanted = self.channels or '3 or more'
            raise ValueError(
                f'{key}: expected (B, N, {wanted}), got {tuple(points.shape)}; set feature_keys of PackInputs, or '
                'data_preprocessor.channels and encoder.in_channels.'
            )
        # Tensors that are on the device already come from our own code; checking them would wait for the device.
        if points.device.type == 'cpu' and not torch.isfinite(points).all():
            bad = int((~torch.isfinite(points)).flatten(1).any(1).nonzero()[0, 0])
            raise ValueError(
                f'{key}: sample {_name(samples, bad)} holds coordinates that are NaN or infinite; repair the file or '
                'leave it out of the list.'
            )


def _name(samples: Any, index: int) -> str:
    sample = samples[index] if samples is not None else None
    return str(sample.get('sample_id', index)) if sample is not None else f'number {index} of the batch'
