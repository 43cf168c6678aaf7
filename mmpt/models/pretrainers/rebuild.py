"""The reconstructed cloud: visible patches as they are, hidden ones as predicted."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mmpt.models.layers import StepDraws
from mmpt.ops import farthest_point_sample, gather
from mmpt.structures import Mask, Patches, Reconstruction

__all__ = ['absolute_patches', 'rebuild_cloud']


def absolute_patches(points: Tensor, centers: Tensor) -> Tensor:
    """(B, M, S, 3) relative to (B, M, 3) centres -> the same in the cloud's frame."""
    return points + centers.unsqueeze(2)


def rebuild_cloud(
    patches: Patches,
    mask: Mask,
    reconstruction: Reconstruction,
    num_points: int,
    draws: StepDraws,
    *,
    sampling: Literal['random', 'fps'] = 'random',
    copies: bool = True,
) -> Tensor:
    """Put a cloud together from patches (METHODS 1.3, step 10).

    Patches overlap, so the union holds a point of the input several times.

    Args:
        patches (Patches): of the input cloud.
        mask (Mask): what was hidden, equally many patches in every sample.
        reconstruction (Reconstruction): the hidden patches as predicted.
        num_points (int): N; all points are kept where the union holds fewer.
        draws (StepDraws): of the step, for random sampling.
        sampling (str): ``'random'`` without replacement, or ``'fps'``.
        copies (bool): whether the visible patches are part of it.

    Returns:
        Tensor: (B, N, 3) in the frame of the cloud.
    """
    batch = patches.centers.shape[0]
    parts = [absolute_patches(reconstruction.points, reconstruction.centers).flatten(1, 2)]
    if copies:
        whole = absolute_patches(patches.points[..., :3], patches.centers)
        parts.append(gather(whole.flatten(2), mask.visible).reshape(batch, -1, 3))
    cloud = torch.cat(parts, dim=1)
    total = cloud.shape[1]
    if total <= num_points:
        return cloud
    if sampling == 'fps':
        index = farthest_point_sample(cloud.detach(), num_points)
    else:
        index = draws.rand('rebuild', (batch, total), cloud.device).topk(num_points, dim=1).indices
    return gather(cloud, index)
