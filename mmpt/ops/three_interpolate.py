"""Carry features from few points to many."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ._checks import check_batched, check_pair
from ._precision import autocast_off, common_coordinates
from .knn import knn

__all__ = ['three_interpolate']


def three_interpolate(features: Tensor, source: Tensor, target: Tensor, k: int = 3, eps: float = 1e-8) -> Tensor:
    """Mean of the features of the k nearest source points, weighted by 1 / (squared distance + eps).

    The feature propagation of PointNet++ as its descendants run it (the weight is of the *squared* distance). A target
    that coincides with a source point takes its features up to ``eps``.

    Args:
        features (Tensor): (B, N, C); the result has their dtype, the weights are float32 (or float64).
        source (Tensor): (B, N, 3) positions of the features, in any unit.
        target (Tensor): (B, M, 3) where the features are wanted, in the same unit.
        k (int): how many source points, 1 <= k <= N.
        eps (float): squared distance in that unit, > 0, which keeps the weight of a coinciding point finite.

    Returns:
        Tensor: (B, M, C). The gradient goes to ``features`` only; positions are constants.

    Raises:
        ValueError: if there are fewer than k source points or the shapes do not agree.
    """
    check_batched('three_interpolate', 'features', features)
    check_batched('three_interpolate', 'source', source, 3)
    check_batched('three_interpolate', 'target', target, 3)
    check_pair('three_interpolate', ('source', 'target'), source, target)
    if features.shape[:2] != source.shape[:2]:
        raise ValueError(
            f'three_interpolate: expected one feature per source point, got features {tuple(features.shape)} for '
            f'source {tuple(source.shape)}; pass the points that the features belong to.'
        )
    if not 1 <= k <= source.shape[1]:
        raise ValueError(
            f'three_interpolate: asked for {k} of {source.shape[1]} source points; lower k or keep more points.'
        )
    with autocast_off(features):
        source, target = common_coordinates(source.detach(), target.detach())
        index, distance = knn(target, source, k, return_distance=True)
        weight = 1.0 / (distance.square() + eps)
        weight = weight / weight.sum(dim=2, keepdim=True)
        # A bag of rows is summed as it is read. Picking them first takes k times the memory of the result: 1.2 GB for
        # 32 blocks of 2,048 points and 1,536 channels, and several times as long on a CPU.
        batch, num, channels = features.shape
        rows = index + torch.arange(batch, device=index.device).mul_(num).view(-1, 1, 1)
        table = features.reshape(batch * num, channels).to(weight.dtype)
        mixed = F.embedding_bag(rows.flatten(0, 1), table, per_sample_weights=weight.flatten(0, 1), mode='sum')
        return mixed.view(batch, -1, channels).to(features.dtype)
