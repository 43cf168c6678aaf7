"""Points as small oriented discs into a z-buffer, and the holes between them."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['fill_holes', 'splat']

# A key of the z-buffer behind all others.
_EMPTY = torch.iinfo(torch.int64).max
# Points closer to the camera than this are not drawn, in the unit of the points.
_NEAR = 1e-2
# Cosine below which a disc counts as seen edge-on.
_EDGE_ON = 1e-2
# The 24 pixels around one.
_AROUND = [(down, right) for down in range(-2, 3) for right in range(-2, 3) if (down, right) != (0, 0)]


def splat(position: Tensor, normal: Tensor | None, size: int, focal: float, radius: Tensor) -> tuple[Tensor, Tensor]:
    """Which point is seen in every pixel, and at which depth.

    A point with a normal is a disc in its tangent plane, otherwise one that faces the camera; the pixel of its centre
    is always drawn. Where several discs cover a pixel the nearest to the camera wins. A disc counts as farther away, by
    up to its radius each, the farther off its centre it is met, so that neighbours on one surface meet halfway, and the
    more it is seen edge-on, so that the side of a box does not show through its front.

    Args:
        position (Tensor): (I, N, 3) in the frame of the camera: right, up, depth (positive in front).
        normal (Tensor | None): (I, N, 3) unit normals in the frame right, up, *back*, either sign.
        size (int): height and width of the image.
        focal (float): in pixels.
        radius (Tensor): (I,) of the discs, in the unit of the points.

    Returns:
        tuple[Tensor, Tensor]: depth (I, size * size) with inf and index (I, size * size) int64 with -1 where
        nothing is seen.
    """
    images, num, _ = position.shape
    discs, first, extent = _discs(position, normal, size, focal, radius)
    # Only the pixels in the bounding box of a disc, in one ragged list: discs that are small in the image cost little.
    count = extent.prod(dim=2).flatten()
    owner = torch.arange(count.numel(), device=count.device).repeat_interleave(count)

    def listed(values: Tensor) -> Tensor:
        return values.flatten().index_select(0, owner)  # several times faster on CPU than values[owner]

    place = torch.arange(owner.numel(), device=count.device) - listed(count.cumsum(0) - count)
    width = listed(extent[..., 1])
    down = torch.div(place, width, rounding_mode='floor')
    row = listed(first[..., 0]) + down
    column = listed(first[..., 1]) + place - down * width
    disc = _Discs(*(listed(values) for values in discs))
    right, low = column + 0.5 - disc.column, row + 0.5 - disc.row
    off = disc.xx * right.square() + disc.xy * right * low + disc.yy * low.square()
    rank = disc.depth + disc.penalty + _slant(disc, right, low) + disc.radius * off.clamp(max=1)
    # The bits of positive floats order like the floats. With the point in the low half no two keys are equal, so the
    # winner is the same on every device and in every order of execution.
    key = (
        rank.clamp_(min=0)
        .view(torch.int32)
        .to(torch.int64)
        .bitwise_left_shift_(32)
        .bitwise_or_(listed(torch.arange(num, device=owner.device).expand(images, num)))
    )
    middle = (right.abs() <= 0.5) & (low.abs() <= 0.5)
    key.masked_fill_((off > 1) & ~middle, _EMPTY)
    corner = torch.arange(images, device=owner.device)[:, None].mul_(size * size).expand(images, num)
    pixel = listed(corner) + row * size + column
    buffer = key.new_full((images * size * size,), _EMPTY)
    buffer.scatter_reduce_(0, pixel, key, 'amin')
    return _winners(buffer.view(images, size * size), discs, size)


class _Discs(NamedTuple):
    """Every disc as it is seen, all (I, N) float32; lengths across the image in pixels, y downwards."""

    column: Tensor
    row: Tensor
    depth: Tensor
    penalty: Tensor  # in depth, for being seen edge-on
    radius: Tensor  # in the unit of the points
    slope_x: Tensor  # depth per pixel
    slope_y: Tensor
    xx: Tensor  # squared distance from the centre, in radii: xx dx^2 + xy dx dy + yy dy^2
    xy: Tensor
    yy: Tensor


def _discs(
    position: Tensor, normal: Tensor | None, size: int, focal: float, radius: Tensor
) -> tuple[_Discs, Tensor, Tensor]:
    """The discs, and the first pixel and the extent (I, N, 2) int64 (row, column) of their boxes within the image."""
    visible = position[..., 2] > _NEAR
    depth = position[..., 2].clamp(min=_NEAR)
    # The ray through the centre, (sx, sy, -1) in the frame right, up, back, stands for those through the few pixels
    # around it. They meet the tangent plane gx dx + gy dy behind the centre.
    sx, sy = position[..., 0] / depth, position[..., 1] / depth
    if normal is None:
        gx = gy = penalty = torch.zeros_like(depth)
    else:
        across = normal[..., 0] * sx + normal[..., 1] * sy - normal[..., 2]
        penalty = radius[:, None] * (1 - across.abs() / (1 + sx.square() + sy.square()).sqrt())
        across = torch.where(across.abs() < _EDGE_ON, _EDGE_ON, across)
        gx, gy = -normal[..., 0] / across, -normal[..., 1] / across
    # A step in the image moves the meeting point by a = (1 + gx sx, gx sy, gx) for x and by b for y; |a x b|^2:
    area = gx.square() + gy.square() + (1 + gx * sx + gy * sy).square()
    xx = (1 + gx * sx).square() + (gx * sy).square() + gx.square()
    yy = (gy * sx).square() + (1 + gy * sy).square() + gy.square()
    xy = 2 * ((1 + gx * sx) * gy * sx + gx * sy * (1 + gy * sy) + gx * gy)
    unit = depth / focal
    reach = radius[:, None] / unit
    scale = reach.square().reciprocal()
    column, row = size / 2 + sx * focal, size / 2 - sy * focal
    # Half the box of the ellipse; bounded, since a point next to the camera would fill the image.
    bound = max(2.0, size / 8)
    half = torch.stack([reach * (xx / area).sqrt(), reach * (yy / area).sqrt()], dim=2).clamp_(max=bound)
    center = torch.stack([row, column], dim=2)
    first = torch.minimum((center - half - 0.5).ceil(), center.floor()).clamp_(0, size)
    last = torch.maximum((center + half - 0.5).floor(), center.floor()).clamp_(-1, size - 1)
    extent = (last - first + 1).clamp_(min=0).masked_fill_(~visible[..., None], 0)
    discs = _Discs(
        column,
        row,
        depth,
        penalty,
        radius[:, None].expand_as(depth),
        gx * unit,
        -gy * unit,
        xx * scale,
        -xy * scale,
        yy * scale,
    )
    return discs, first.to(torch.int64), extent.to(torch.int64)


def _slant(disc: _Discs, right: Tensor, low: Tensor) -> Tensor:
    """How much deeper than its centre a disc is met; at most a radius, also where it is seen edge-on."""
    return torch.minimum(disc.slope_x * right + disc.slope_y * low, disc.radius).maximum(-disc.radius)


def _winners(buffer: Tensor, discs: _Discs, size: int) -> tuple[Tensor, Tensor]:
    """Depth and index in every pixel of the z-buffer (I, size * size)."""
    hit = buffer != _EMPTY
    index = (buffer & 0xFFFFFFFF).masked_fill_(~hit, 0)
    disc = _Discs(*(values.gather(1, index) for values in discs))
    pixel = torch.arange(size * size, device=buffer.device)
    low = torch.div(pixel, size, rounding_mode='floor') + 0.5 - disc.row
    right = pixel % size + 0.5 - disc.column
    depth = disc.depth + _slant(disc, right, low)
    return depth.masked_fill_(~hit, torch.inf), index.masked_fill_(~hit, -1)


def fill_holes(depth: Tensor, colour: Tensor, step: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """Close gaps between discs, in the surface nearest to the camera.

    A pixel is a hole where more than half of the 24 pixels around it are nearer by more than ``step`` (an empty pixel
    is infinitely far), and it takes their mean. Beside a straight edge of any direction at most half of them are, so
    outlines do not grow; concave corners are rounded by about ``rounds`` pixels.

    Args:
        depth (Tensor): (I, H, W), inf where nothing is seen.
        colour (Tensor): (I, H, W, C).
        step (Tensor): (I,) in the unit of the depth.
        rounds (int): how often; a round closes about one ring of pixels.

    Returns:
        tuple[Tensor, Tensor]: the same with holes closed.
    """
    height, width = depth.shape[1:]
    for _ in range(rounds):
        padded = F.pad(depth, (2, 2, 2, 2), value=torch.inf)
        limit = depth - step[:, None, None]
        count = torch.zeros_like(depth, dtype=torch.uint8)
        for down, right in _AROUND:
            beside = padded[:, 2 + down : 2 + down + height, 2 + right : 2 + right + width]
            count += (beside < limit).view(torch.uint8)
        image, row, column = (count > len(_AROUND) // 2).nonzero(as_tuple=True)
        around = torch.tensor(_AROUND, device=depth.device)
        rows, columns = row[:, None] + around[:, 0], column[:, None] + around[:, 1]
        image_all = image[:, None].expand_as(rows)
        near = padded[image_all, rows + 2, columns + 2]
        weight = (near < limit[image, row, column][:, None]).to(depth.dtype)
        weight /= weight.sum(dim=1, keepdim=True)
        # Outside the image and where nothing is seen the weight is zero.
        colours = colour[image_all, rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
        depth, colour = depth.clone(), colour.clone()
        depth[image, row, column] = (near.nan_to_num(posinf=0.0) * weight).sum(dim=1)
        colour[image, row, column] = (colours * weight[..., None]).sum(dim=1)
    return depth, colour
