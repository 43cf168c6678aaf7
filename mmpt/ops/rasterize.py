"""Pictures of point clouds: shaded RGB and depth, on any device, without a graphics library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ._camera import camera_axes, focal_length
from ._checks import check_batched
from ._precision import autocast_off
from ._splat import fill_holes, splat
from .gather import gather
from .knn import knn

__all__ = ['RasterOutput', 'rasterize']

# Points handled at once: few enough for the cache, enough to hide the cost of a torch call.
_POINTS = 1 << 14
# Colour of points that come without one: a light blue grey.
_ALBEDO = (0.72, 0.76, 0.82)
# Share of the light that has no direction.
_AMBIENT = 0.3
# How many discs cover a place on average: of uniformly drawn points, exp(-5) = 0.7 % of the surface is left uncovered,
# in gaps small enough to be closed afterwards. Discs without normals stick out of the outline, so fewer must do there.
_COVER, _COVER_FACING = 5.0, 4.0


class _Scene(NamedTuple):
    """What all images of a call share."""

    size: int
    focal: float
    light: Sequence[float]
    background: Sequence[float]


class RasterOutput(NamedTuple):
    """Pictures of B clouds from V views.

    Attributes:
        rgb (Tensor): (B, V, 3, size, size) uint8.
        depth (Tensor): (B, V, size, size) float32, distance from the camera along its optical axis, in the unit of
            the points; 0 where nothing is seen.
        index (Tensor): (B, V, size, size) int64, the point seen in the pixel; -1 where none is, closed holes included.
    """

    rgb: Tensor
    depth: Tensor
    index: Tensor  # type: ignore[assignment]  # hides tuple.index, on purpose


@torch.no_grad()
def rasterize(
    points: Tensor,
    normals: Tensor | None,
    azimuth: Tensor | float,
    elevation: Tensor | float,
    distance: Tensor | float,
    size: int = 64,
    *,
    colors: Tensor | None = None,
    radius: float | None = None,
    fov: float = math.radians(45.0),
    light: Sequence[float] = (-0.4, 0.6, 1.0),
    background: Sequence[float] = (1.0, 1.0, 1.0),
) -> RasterOutput:
    """Render point clouds as oriented discs through a z-buffer.

    The world is right-handed with y up. The camera stands at distance * (cos el * sin az, sin el, cos el * cos az)
    and looks at the origin: from azimuth 0 it looks along -z, with +x to the right and +y up in the picture; at
    azimuth 90 degrees it stands at +x. Row 0 is the top row.

    Normals may have either sign: surfaces are lit on both sides. An image does not depend on the batch it is in or on
    the run, on any device: the z-buffer keeps exact keys. On an accelerator every call waits for it a few times.

    Args:
        points (Tensor): (B, N, 3), for example in the unit sphere; computed in float32.
        normals (Tensor | None): (B, N, 3), any length. None: discs face the camera and brightness falls with depth.
        azimuth (Tensor | float): radians; (B, V), (B,) for one view each, or a number.
        elevation (Tensor | float): radians, likewise.
        distance (Tensor | float): of the camera from the origin, in the unit of the points, likewise.
        size (int): height and width in pixels.
        colors (Tensor | None): (B, N, 3) in [0, 1].
        radius (float | None): of a disc, in pixels at the origin. Default: from the spacing of the points, so that
            the surface is closed.
        fov (float): full angle of view, radians.
        light (Sequence[float]): direction to the light, in the camera's frame (right, up, towards the camera).
        background (Sequence[float]): RGB in [0, 1].

    Returns:
        RasterOutput: rgb (B, V, 3, size, size) uint8, depth and index (B, V, size, size). No gradient.

    Raises:
        ValueError: if the shapes do not agree, or a size, angle or distance is out of range.
    """
    check_batched('rasterize', 'points', points, 3)
    for name, tensor in (('normals', normals), ('colors', colors)):
        if tensor is not None and tensor.shape != points.shape:
            raise ValueError(
                f'rasterize: expected {name} of shape {tuple(points.shape)} like the points, got '
                f'{tuple(tensor.shape)}; give one row per point.'
            )
    if size < 1 or not 0 < fov < math.pi or (radius is not None and not radius > 0):
        raise ValueError(
            f'rasterize: expected size >= 1, 0 < fov < pi (radians) and radius > 0, got size={size}, fov={fov}, '
            f'radius={radius}; correct the one out of range.'
        )
    batch = points.shape[0]
    if points.numel() == 0:
        raise ValueError(
            f'rasterize: expected at least one cloud and one point, got {tuple(points.shape)}; drop empty clouds.'
        )
    with autocast_off(points):
        points = points.float()
        angles = _views(points, azimuth, elevation, distance)
        views = angles.shape[2]
        focal = focal_length(size, fov)
        cloud = torch.arange(batch, device=points.device).repeat_interleave(views)
        normal = None if normals is None else torch.nn.functional.normalize(normals.float(), dim=2)
        albedo = points.new_tensor(_ALBEDO).expand_as(points) if colors is None else colors.float().clamp(0, 1)
        discs = _disc_radius(points, angles[2], focal, radius, _COVER_FACING if normals is None else _COVER)
        images = max(1, _POINTS // points.shape[1])
        scene = _Scene(size, focal, light, background)
        pieces = [
            _render(points[part], None if normal is None else normal[part], albedo[part], view, disc, scene)
            for part, view, disc in zip(
                torch.split(cloud, images),
                torch.split(angles.flatten(1), images, dim=1),
                torch.split(discs.flatten(), images),
            )
        ]
    rgb, depth, index = (_join(piece, batch, views) for piece in zip(*pieces))
    return RasterOutput(rgb, depth, index)


def _join(pieces: tuple[Tensor, ...], batch: int, views: int) -> Tensor:
    joined = torch.cat(pieces)
    return joined.view(batch, views, *joined.shape[1:])


def _views(points: Tensor, azimuth: Tensor | float, elevation: Tensor | float, distance: Tensor | float) -> Tensor:
    """(3, B, V): azimuth, elevation and distance of every image."""
    batch = points.shape[0]
    columns = []
    for name, value in (('azimuth', azimuth), ('elevation', elevation), ('distance', distance)):
        column = torch.as_tensor(value, dtype=torch.float32, device=points.device)
        column = column.expand(batch)[:, None] if column.dim() == 0 else column
        column = column[:, None] if column.dim() == 1 else column
        if column.dim() != 2 or column.shape[0] != batch:
            raise ValueError(
                f'rasterize: expected {name} as a number, ({batch},) or ({batch}, V), got {tuple(column.shape)}; '
                'give one row per cloud.'
            )
        columns.append(column)
    views = max(column.shape[1] for column in columns)
    if any(column.shape[1] not in (1, views) for column in columns):
        raise ValueError(
            'rasterize: expected the same number of views in azimuth, elevation and distance, got '
            f'{[column.shape[1] for column in columns]}; give one column per view, or one for all.'
        )
    return torch.stack([column.expand(batch, views) for column in columns])


def _disc_radius(points: Tensor, distance: Tensor, focal: float, radius: float | None, cover: float) -> Tensor:
    """(B, V) radius of the discs in the unit of the points."""
    if not bool((distance > 0).all()):
        raise ValueError(
            f'rasterize: expected distance > 0, got {float(distance.min())}; '
            'it is measured from the origin to the camera.'
        )
    if radius is not None:
        return distance * (radius / focal)
    # The k-th neighbour of a point on a surface is at the radius of a disc that holds k points on average.
    k = min(8, points.shape[1] - 1)
    probes = points[:, :: max(1, points.shape[1] // 64)]
    spacing = knn(probes, points, k + 1, return_distance=True).distance[:, :, -1].mean(dim=1, keepdim=True)
    # Half a pixel at least, which also serves points that all coincide.
    return torch.maximum(math.sqrt(cover / max(1, k)) * spacing, distance * (0.5 / focal))


def _render(
    points: Tensor, normal: Tensor | None, albedo: Tensor, view: Tensor, disc: Tensor, scene: _Scene
) -> tuple[Tensor, Tensor, Tensor]:
    """I images of I clouds; ``view`` is (3, I) and ``disc`` (I,)."""
    azimuth, elevation, distance = view
    axes = camera_axes(azimuth, elevation)
    # Sums of products instead of a matrix product, which may run in reduced precision on an accelerator.
    position = (points[:, :, None] * axes[:, None]).sum(dim=3)
    position[..., 2] = distance[:, None] - position[..., 2]
    if normal is not None:
        normal = (normal[:, :, None] * axes[:, None]).sum(dim=3)
        towards = normal[..., 2] * position[..., 2] - (normal[..., :2] * position[..., :2]).sum(dim=2)
        normal = normal * torch.where(towards < 0, -1.0, 1.0)[..., None]
    flat, index = splat(position, normal, scene.size, scene.focal, disc)
    hit = index >= 0
    row = index.clamp(min=0)
    if normal is None:
        lit = _by_depth(flat, hit)
    else:
        direction = torch.nn.functional.normalize(points.new_tensor(scene.light), dim=0)
        lit = (gather(normal, row) * direction).sum(dim=2).clamp_(min=0)
    rgb = gather(albedo, row) * (_AMBIENT + (1 - _AMBIENT) * lit)[..., None]
    image = (-1, scene.size, scene.size)
    depth, colour = fill_holes(flat.view(image), rgb.view(*image, 3), 2 * disc, rounds=1 + scene.size // 48)
    seen = depth.isfinite()
    colour = torch.where(seen[..., None], colour, colour.new_tensor(scene.background))
    rgb8 = colour.mul(255).round_().clamp_(0, 255).to(torch.uint8).permute(0, 3, 1, 2).contiguous()
    return rgb8, depth.masked_fill(~seen, 0), index.view(image)


def _by_depth(depth: Tensor, hit: Tensor) -> Tensor:
    """Brightness where there are no normals: 1 at the nearest pixel of the image, 0.2 at the farthest."""
    nearest = depth.amin(dim=1, keepdim=True)
    farthest = depth.masked_fill(~hit, 0).amax(dim=1, keepdim=True)
    return (1 - 0.8 * (depth - nearest) / (farthest - nearest).clamp(min=1e-6)).masked_fill_(~hit, 0)
