"""Chamfer distance between point sets."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ._checks import check_batched, check_pair
from ._nearest import distances, nearest_index
from ._precision import autocast_off, common_coordinates
from .gather import gather

__all__ = ['chamfer_distance']

# From about this many pairs per cloud on, a search without a graph followed by a gather is faster than differentiating
# through the distance matrix (measured on CPU: 1.3 times slower at 32 x 32, 1.7 times faster at 2048 x 2048).
_DENSE_PAIRS = 512 * 512
# Squared unit under the root of the l1 form: far below any spacing of points in a unit sphere.
_EPS = 1e-12


def chamfer_distance(
    x: Tensor,
    y: Tensor,
    norm: Literal['l1', 'l2'] = 'l2',
    reduction: Literal['mean', 'none'] = 'mean',
) -> Tensor:
    """Mean distance to the nearest point of the other set, both ways.

    With d the squared Euclidean distance to the nearest point of the other set, the conventions of Point-BERT are

    * ``l2``: mean_x d + mean_y d, in squared units, without a factor 1/2;
    * ``l1``: (mean_x sqrt(d) + mean_y sqrt(d)) / 2, in units; 1e-12 is added under the root, so that coinciding points
      have a finite gradient (zero) and count 1e-6.

    Args:
        x (Tensor): (B, N, 3); computed in float32, float64 stays float64.
        y (Tensor): (B, M, 3) in the same unit.
        norm (str): ``l1`` or ``l2``.
        reduction (str): ``mean`` over the batch, or ``none``.

    Returns:
        Tensor: a scalar, or (B,) with ``reduction='none'``; with gradients to both sets. Exact for any size, and for
        large sets the memory is bounded.

    Raises:
        ValueError: if a set is empty, the shapes do not agree, or a name is unknown.
    """
    check_batched('chamfer_distance', 'x', x, 3)
    check_batched('chamfer_distance', 'y', y, 3)
    check_pair('chamfer_distance', ('x', 'y'), x, y)
    if x.shape[1] == 0 or y.shape[1] == 0:
        raise ValueError(
            f'chamfer_distance: expected at least one point in each set, got {x.shape[1]} and {y.shape[1]}; '
            'drop empty clouds before.'
        )
    if norm not in ('l1', 'l2') or reduction not in ('mean', 'none'):
        raise ValueError(
            f"chamfer_distance: expected norm 'l1' or 'l2' and reduction 'mean' or 'none', got {norm!r} and "
            f'{reduction!r}; correct the name.'
        )
    with autocast_off(x):
        x, y = common_coordinates(x, y)
        if x.shape[1] * y.shape[1] < _DENSE_PAIRS:
            forward, backward = _squared_dense(x, y)
        else:
            forward, backward = _squared_to_nearest(x, y), _squared_to_nearest(y, x)
        if norm == 'l1':
            forward, backward = (forward + _EPS).sqrt() / 2, (backward + _EPS).sqrt() / 2
        value = forward.mean(dim=1) + backward.mean(dim=1)
        return value.mean() if reduction == 'mean' else value


def _squared_dense(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    distance = distances(x, y)
    return distance.min(dim=2).values.square(), distance.min(dim=1).values.square()


def _squared_to_nearest(x: Tensor, y: Tensor) -> Tensor:
    nearest = gather(y, nearest_index(x.detach(), y.detach()))
    return (x - nearest).square().sum(dim=2)
