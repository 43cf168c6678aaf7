"""Point operations as a textbook writes them: what ours are timed beside, and held to.

Coordinates are (B, N, 3) float32. Every function is exact unless its docstring says otherwise.
"""

import numpy as np
import torch
from torch import Tensor

_EXACT = 'donot_use_mm_for_euclid_dist'


def fps_broadcast(points: Tensor, num: int) -> Tensor:
    """Farthest point sampling from point 0: the loop over (B, N, 3) differences with a boolean mask."""
    rows = torch.arange(points.shape[0])
    index = torch.zeros(points.shape[0], num, dtype=torch.int64)
    nearest = torch.full(points.shape[:2], 1e10)
    last = torch.zeros(points.shape[0], dtype=torch.int64)
    for step in range(num):
        index[:, step] = last
        distance = ((points - points[rows, last][:, None]) ** 2).sum(dim=2)
        closer = distance < nearest
        nearest[closer] = distance[closer]
        last = nearest.max(dim=1).indices
    return index


def fps_axes(points: Tensor, num: int) -> Tensor:
    """The same with an array for each axis, in place."""
    axes = [axis.contiguous() for axis in points.unbind(2)]
    nearest = torch.full(points.shape[:2], torch.inf)
    last = torch.zeros(points.shape[0], 1, dtype=torch.int64)
    index = torch.empty(points.shape[0], num, dtype=torch.int64)
    distance, delta = torch.empty_like(nearest), torch.empty_like(nearest)
    for step in range(num):
        index[:, step : step + 1] = last
        distance.zero_()
        for axis in axes:
            torch.sub(axis, axis.gather(1, last), out=delta)
            distance.addcmul_(delta, delta)
        torch.minimum(nearest, distance, out=nearest)
        last = nearest.argmax(dim=1, keepdim=True)
    return index


def knn_topk(query: Tensor, reference: Tensor, k: int, sort: bool = True) -> Tensor:
    """All distances from differences of coordinates, then topk."""
    return torch.cdist(query, reference, compute_mode=_EXACT).topk(k, dim=2, largest=False, sorted=sort).indices


def knn_expanded(query: Tensor, reference: Tensor, k: int) -> Tensor:
    """|a|^2 - 2 a.b + |b|^2 by a matrix product, then an unsorted topk; not exact where neighbours differ little."""
    square = -2 * query @ reference.transpose(1, 2)
    square += query.square().sum(dim=2)[:, :, None] + reference.square().sum(dim=2)[:, None]
    return square.topk(k, dim=2, largest=False, sorted=False).indices


def knn_tree(query: Tensor, reference: Tensor, k: int) -> Tensor:
    """A k-d tree for each cloud."""
    from scipy.spatial import cKDTree

    workers = torch.get_num_threads()
    pairs = zip(query.numpy(), reference.numpy())
    return torch.from_numpy(np.stack([cKDTree(cloud).query(points, k, workers=workers)[1] for points, cloud in pairs]))


def ball_query_sorted(query: Tensor, reference: Tensor, radius: float, k: int) -> Tensor:
    """Mask the index by the radius, sort all of it; the nearest where the ball is empty."""
    size = reference.shape[1]
    distance = torch.cdist(query, reference, compute_mode=_EXACT)
    index = torch.arange(size).expand(query.shape[0], query.shape[1], size).clone()
    index[distance >= radius] = size
    index = index.sort(dim=2).values[:, :, :k]
    first = index[:, :, :1]
    first = torch.where(first == size, distance.argmin(dim=2, keepdim=True), first)
    return torch.where(index == size, first, index)


def interpolate_topk(values: Tensor, centres: Tensor, targets: Tensor) -> Tensor:
    """The three nearest centres of every target, weighted by the inverse squared distance."""
    weight = 1 / (torch.cdist(targets, centres, compute_mode=_EXACT).square() + 1e-8)
    weight, nearest = weight.topk(3, dim=2)
    picked = values[torch.arange(len(values))[:, None, None], nearest]
    return (picked * (weight / weight.sum(dim=2, keepdim=True))[..., None]).sum(dim=2)


def chamfer_broadcast(x: Tensor, y: Tensor) -> Tensor:
    """Chamfer-L2 from all differences at once, differentiated through."""
    return _of_squares((x[:, :, None] - y[:, None]).square().sum(dim=3))


def chamfer_cdist(x: Tensor, y: Tensor) -> Tensor:
    """The whole distance matrix, differentiated through."""
    return _of_squares(torch.cdist(x, y, compute_mode=_EXACT).square())


def chamfer_expanded(x: Tensor, y: Tensor) -> Tensor:
    """The whole matrix by a matrix product; exact to about 1e-7 of the squared norms."""
    square = x.square().sum(dim=2)[:, :, None] + y.square().sum(dim=2)[:, None] - 2 * x @ y.transpose(1, 2)
    return _of_squares(square)


def _of_squares(square: Tensor) -> Tensor:
    return square.min(dim=2).values.mean() + square.min(dim=1).values.mean()


def chamfer_gathered(x: Tensor, y: Tensor) -> Tensor:
    """The nearest without a graph, then differences to them."""
    with torch.no_grad():
        distance = torch.cdist(x, y, compute_mode=_EXACT)
        to_y, to_x = distance.argmin(dim=2), distance.argmin(dim=1)
    return _to_nearest(x, y, to_y) + _to_nearest(y, x, to_x)


def chamfer_tree(x: Tensor, y: Tensor) -> Tensor:
    """The nearest by a k-d tree for each cloud, then differences to them."""
    to_y, to_x = knn_tree(x.detach(), y.detach(), 1), knn_tree(y.detach(), x.detach(), 1)
    return _to_nearest(x, y, to_y) + _to_nearest(y, x, to_x)


def _to_nearest(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    return (x - y[torch.arange(len(y))[:, None], index]).square().sum(dim=2).mean()


def pixels(points: Tensor, azimuth: Tensor, size: int) -> Tensor:
    """One white pixel per point, one image at a time: no shading, no size of the points, holes. Not what ours draws."""
    pictures = torch.zeros(len(points), size, size)
    for picture, cloud, angle in zip(pictures, points, azimuth):
        across = cloud[:, 0] * angle.cos() - cloud[:, 2] * angle.sin()
        depth = 2.6 - cloud[:, 0] * angle.sin() - cloud[:, 2] * angle.cos()
        column, row = (((0.5 + 1.2 * part / depth) * size).long().clamp(0, size - 1) for part in (across, -cloud[:, 1]))
        order = depth.argsort(descending=True)
        picture[row[order], column[order]] = 1 / depth[order]
    return pictures
