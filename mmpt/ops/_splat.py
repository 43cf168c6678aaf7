"""Points as small oriented discs into a z-buffer, and the holes between them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['fill_holes', 'splat']

# Depths are stored as the bits of a positive float in the high half of an int64; this is behind them all.
_EMPTY = torch.iinfo(torch.int64).max
_AROUND = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]


def splat(
    position: Tensor, normal: Tensor | None, size: int, focal: float, radius: Tensor, reach: int, near: float
) -> tuple[Tensor, Tensor]:
    """Which point is seen in every pixel, and at which depth.

    A point with a normal is a disc in its tangent plane, otherwise one that faces the camera. Where several discs
    cover a pixel the nearest to the camera wins. A disc counts as farther away, by up to its radius each, the farther
    off its centre it is met, so that neighbours on one surface meet halfway, and the more it is seen edge-on, so that
    the side of a box does not show through its front.

    Args:
        position (Tensor): (I, N, 3) in the frame of the camera: right, up, depth (positive in front).
        normal (Tensor | None): (I, N, 3) unit normals in the frame right, up, *back*, either sign.
        size (int): height and width of the image.
        focal (float): in pixels.
        radius (Tensor): (I,) of a disc that faces the camera, in pixels.
        reach (int): how many pixels from the one with its centre a disc may extend, at least ceil(max radius - 0.5).
        near (float): points with less depth are not drawn.

    Returns:
        tuple[Tensor, Tensor]: depth (I, size * size) with inf and index (I, size * size) int64 with -1 where
        nothing is seen.
    """
    images, num, _ = position.shape
    depth = position[..., 2]
    visible = depth > near
    safe = depth.clamp(min=near)
    # Image coordinates in pixels from the top left corner; pixel (row, column) has its centre at + 0.5.
    column = position[..., 0] / safe * focal + size / 2
    row = size / 2 - position[..., 1] / safe * focal
    offset = torch.arange(-reach, reach + 1, device=position.device)
    down, right = (grid.flatten() for grid in torch.meshgrid(offset, offset, indexing='ij'))
    base_row = row.floor().clamp(-size, 2 * size).long()
    base_column = column.floor().clamp(-size, 2 * size).long()
    pixel_row = base_row[..., None] + down
    pixel_column = base_column[..., None] + right
    # From the point to the ray through the pixel, at the depth of the point, in world units; y up.
    unit = (safe / focal)[..., None]
    dx = (pixel_column + 0.5 - column[..., None]) * unit
    dy = (row[..., None] - pixel_row - 0.5) * unit
    limit = radius[:, None, None] * unit
    slope = position[..., :2] / safe[..., None]
    if normal is None:
        behind, square = torch.zeros_like(dx), dx.square() + dy.square()
        edge_on: Tensor | float = 0.0
    else:
        # Along the ray (slope, -1) through the point, which stands for those through its few neighbouring pixels.
        across = (normal[..., :2] * slope).sum(dim=-1) - normal[..., 2]
        behind, square = _plane(dx, dy, slope, normal, across, limit)
        edge_on = (limit[..., 0] * (1 - across.abs() / (1 + slope.square().sum(dim=-1)).sqrt()))[..., None]
    middle = (down == 0) & (right == 0)
    covered = (square <= limit.square()) | middle
    covered &= visible[..., None] & (pixel_row >= 0) & (pixel_row < size) & (pixel_column >= 0) & (pixel_column < size)
    met = (safe[..., None] + behind).clamp_(min=near)
    rank = met + torch.minimum(square / limit, limit) + edge_on
    key = rank.view(torch.int32).to(torch.int64).bitwise_left_shift_(32)
    slots = num * down.numel()
    key.bitwise_or_(torch.arange(slots, device=key.device).view(num, -1))
    key.masked_fill_(~covered, _EMPTY)
    target = (pixel_row * size + pixel_column).masked_fill_(~covered, 0)
    buffer = key.new_full((images, size * size), _EMPTY)
    buffer.scatter_reduce_(1, target.flatten(1), key.flatten(1), 'amin')
    hit = buffer != _EMPTY
    slot = (buffer & 0xFFFFFFFF).masked_fill_(~hit, 0)
    seen = met.flatten(1).gather(1, slot).masked_fill_(~hit, torch.inf)
    return seen, (slot // down.numel()).masked_fill_(~hit, -1)


def _plane(
    dx: Tensor, dy: Tensor, slope: Tensor, normal: Tensor, across: Tensor, limit: Tensor
) -> tuple[Tensor, Tensor]:
    """Where the rays meet the tangent planes: depth behind the point, and squared distance from the point."""
    # A disc seen edge-on has no depth of its own; from there on it is clamped to its radius.
    across = torch.where(across.abs() < 1e-3, 1e-3, across)
    gradient = -normal[..., :2] / across[..., None]
    behind = dx * gradient[..., :1] + dy * gradient[..., 1:]
    square = (dx + behind * slope[..., :1]).square_()
    square += (dy + behind * slope[..., 1:]).square_()
    square += behind.square()
    return torch.minimum(behind, limit).maximum(-limit), square


def fill_holes(depth: Tensor, colour: Tensor, step: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """Close gaps between discs, in the surface nearest to the camera.

    A pixel is a hole where at least 5 of its 8 neighbours are nearer by more than ``step`` (an empty pixel is
    infinitely far), and it takes their mean. Along a straight edge 3 neighbours are nearer, at a convex corner fewer,
    so outlines do not grow.

    Args:
        depth (Tensor): (I, H, W), inf where nothing is seen.
        colour (Tensor): (I, H, W, C).
        step (Tensor): (I,) in the unit of the depth.
        rounds (int): how often; a round closes one ring of pixels.

    Returns:
        tuple[Tensor, Tensor]: the same with holes closed.
    """
    for _ in range(rounds):
        padded = F.pad(depth, (1, 1, 1, 1), value=torch.inf)
        limit = depth - step[:, None, None]
        count = torch.zeros_like(depth, dtype=torch.int8)
        height, width = depth.shape[1:]
        for down, right in _AROUND:
            count += padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width] < limit
        image, row, column = (count >= 5).nonzero(as_tuple=True)
        around = torch.tensor(_AROUND, device=depth.device)
        rows, columns = row[:, None] + around[:, 0], column[:, None] + around[:, 1]
        image_all = image[:, None].expand_as(rows)
        near = padded[image_all, rows + 1, columns + 1]
        weight = (near < limit[image, row, column][:, None]).to(depth.dtype)
        weight /= weight.sum(dim=1, keepdim=True)
        # Outside the image and where nothing is seen the weight is zero.
        beside = colour[image_all, rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
        depth, colour = depth.clone(), colour.clone()
        depth[image, row, column] = (near.nan_to_num(posinf=0.0) * weight).sum(dim=1)
        colour[image, row, column] = (beside * weight[..., None]).sum(dim=1)
    return depth, colour
