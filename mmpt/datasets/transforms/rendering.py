"""Pictures of the cloud itself, for data that come without any."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mmpt.ops import rasterize
from mmpt.registry import TRANSFORMS

from ..threads import one_thread
from .base import Transform

__all__ = ['RenderViews', 'draw_cameras', 'render_views']

# Of the camera, in radii of the cloud: the unit sphere just fills a view of 45 degrees.
_DISTANCE = 2.62


def draw_cameras(
    rng: np.random.Generator, num_views: int, azimuth: tuple[float, float], elevation: tuple[float, float]
) -> np.ndarray:
    """Draw cameras uniformly.

    Args:
        rng (Generator): where the draws come from.
        num_views (int): V.
        azimuth (tuple[float, float]): interval, degrees; 0 looks at the front (+z), 90 at +x.
        elevation (tuple[float, float]): interval, degrees above the horizon.

    Returns:
        ndarray: (2, V) float32 azimuth and elevation, radians.
    """
    return np.deg2rad([rng.uniform(*azimuth, size=num_views), rng.uniform(*elevation, size=num_views)]).astype(
        np.float32
    )


def render_views(
    points: np.ndarray,
    normals: np.ndarray | None,
    cameras: np.ndarray,
    size: int,
    colors: np.ndarray | None = None,
    depth: bool = False,
) -> np.ndarray:
    """Shade a cloud from several sides; the middle of its bounding box is in the centre, and all of it in the picture.

    Args:
        points (ndarray): (N, 3) float32, y up.
        normals (ndarray | None): (N, 3); without them brightness falls with depth.
        cameras (ndarray): (2, V) azimuth and elevation, radians.
        size (int): edge in pixels.
        colors (ndarray | None): (N, 3) in [0, 1].
        depth (bool): depth maps in place of shaded pictures: 255 at the nearest place of the unit sphere to 1 at the
            farthest, 0 where nothing is, the same in all three channels.

    Returns:
        ndarray: (V, size, size, 3) uint8, RGB on white or depth on black.
    """
    centred = points - (points.min(axis=0) + points.max(axis=0)) / 2
    radius = max(float(np.linalg.norm(centred, axis=1).max()), 1e-12)
    azimuth, elevation = torch.from_numpy(cameras)[:, None]
    cloud = torch.from_numpy((centred / radius).astype(np.float32))[None]
    facing, albedo = (
        None if rows is None else torch.from_numpy(np.ascontiguousarray(rows, np.float32))[None]
        for rows in (normals, colors)
    )
    with one_thread():
        output = rasterize(cloud, facing, azimuth, elevation, _DISTANCE, size, colors=albedo)
        if depth:
            near = ((_DISTANCE + 1 - output.depth[0]) / 2).clamp(0, 1)
            grey = torch.where(output.depth[0] > 0, 1 + 254 * near, 0).to(torch.uint8)
            return grey.unsqueeze(-1).expand(-1, -1, -1, 3).contiguous().numpy()
        return output.rgb[0].permute(0, 2, 3, 1).contiguous().numpy()


@TRANSFORMS.register_module()
class RenderViews(Transform):
    """Render the cloud as it is at this place of the pipeline; place it before the points are thinned out.

    Required keys: points (N, 3) y up, rng. Added keys: images (num_views, size, size, 3) uint8 RGB, has_image
    (num_views,) bool, all True.

    Args:
        num_views (int): how many pictures.
        size (int): edge in pixels.
        azimuth (tuple[float, float]): interval of the draw, degrees; 0 looks at the front (+z), 90 at +x.
        elevation (tuple[float, float]): interval of the draw, degrees above the horizon.
        depth (bool): depth maps in place of shaded pictures (unknown U10 of METHODS 1.2).
    """

    required = ('points', 'rng')

    def __init__(
        self,
        num_views: int = 1,
        size: int = 224,
        azimuth: tuple[float, float] = (0.0, 360.0),
        elevation: tuple[float, float] = (0.0, 35.0),
        depth: bool = False,
    ) -> None:
        self.num_views, self.size, self.azimuth, self.elevation = num_views, size, azimuth, elevation
        self.depth = depth

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the cameras and render."""
        cameras = draw_cameras(results['rng'], self.num_views, self.azimuth, self.elevation)
        results['images'] = render_views(
            results['points'], results.get('normals'), cameras, self.size, depth=self.depth
        )
        results['has_image'] = np.ones(self.num_views, bool)
        return results
