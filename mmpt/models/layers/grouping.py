"""Cutting a cloud into patches."""

from __future__ import annotations

import torch
from torch import Tensor

from mmpt.ops import farthest_point_sample, gather, knn
from mmpt.structures import Patches

__all__ = ['group_points']


def group_points(points: Tensor, num_groups: int, group_size: int, start: int = 0) -> Patches:
    """Farthest-point centres and their nearest neighbours (Point-BERT, section 3.1).

    Which points are chosen carries no gradient; their coordinates do.

    Args:
        points (Tensor): (B, N, 3 + F) float32; the first three channels are coordinates.
        num_groups (int): G.
        group_size (int): S; the centre is the first member of its own patch.
        start (int): index of the first centre.

    Returns:
        Patches: coordinates relative to the centre, centres, the other channels or None, and the index.

    Raises:
        ValueError: fewer than G or S points.
    """
    xyz = points[..., :3]
    with torch.no_grad():
        centre_index = farthest_point_sample(xyz.detach(), num_groups, start=start)
        index = knn(gather(xyz.detach(), centre_index), xyz.detach(), group_size)
    centers = gather(xyz, centre_index)
    members = gather(points, index)
    local = members[..., :3] - centers.unsqueeze(2)
    features = members[..., 3:] if points.shape[-1] > 3 else None
    return Patches(local, centers, features, index)
