"""Index of the nearest point, without a graph and without the whole distance matrix."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ['distances', 'in_blocks', 'nearest_index']

# Elements of one block of the distance matrix. On CPU one that fits the cache makes the search twice as fast as one of
# 64 MiB (measured); elsewhere it only bounds memory, at 256 MiB of float32.
_BLOCK_CPU, _BLOCK_DEVICE = 1 << 20, 1 << 26
# From this many pairs per cloud on a tree is faster than the dense search: 4 times at 1024 x 1024 with one thread.
_TREE_PAIRS = 512 * 512


def in_blocks(query: Tensor, reference: Tensor, function: Callable[[Tensor], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """``function`` of the distances, without all of them at once.

    Whole clouds go together as far as they fit a block, and a cloud that does not fit goes in blocks of queries: a
    block of a few queries of many clouds would be many small matrix products.

    Args:
        query (Tensor): (B, M, D).
        reference (Tensor): (B, N, D).
        function (Callable): (b, m, N) distances -> tensors (b, m, ...).

    Returns:
        tuple[Tensor, ...]: (B, M, ...) each.
    """
    block = _BLOCK_CPU if query.device.type == 'cpu' else _BLOCK_DEVICE
    size = max(1, reference.shape[1])
    clouds = max(1, block // max(1, query.shape[1] * size))
    rows = max(1, block // (min(clouds, max(1, query.shape[0])) * size))
    pieces = []
    for some, others in zip(torch.split(query, clouds), torch.split(reference, clouds)):
        parts = [function(distances(part, others)) for part in torch.split(some, rows, dim=1)]
        pieces.append([torch.cat(of_one, dim=1) for of_one in zip(*parts)])
    return tuple(torch.cat(of_one) for of_one in zip(*pieces))


def distances(query: Tensor, reference: Tensor) -> Tensor:
    """(B, M, N) Euclidean distances.

    Up to three dimensions the differences are taken one by one: the expansion |a|^2 - 2ab + |b|^2 as a matrix
    product loses the digits by which neighbours differ. In a feature space it is the only fast way.
    """
    exact = query.shape[2] <= 3
    mode = 'donot_use_mm_for_euclid_dist' if exact else 'use_mm_for_euclid_dist_if_necessary'
    return torch.cdist(query, reference, compute_mode=mode)


@torch.no_grad()
def nearest_index(query: Tensor, reference: Tensor) -> Tensor:
    """For every query (B, M, 3) the index (B, M) int64 of the nearest reference point (B, N, 3)."""
    if query.device.type == 'cpu' and query.shape[1] * reference.shape[1] >= _TREE_PAIRS:
        found = _by_tree(query, reference)
        if found is not None:
            return found
    (found,) = in_blocks(query, reference, lambda distance: (distance.argmin(dim=2),))
    return found


@torch.compiler.disable
def _by_tree(query: Tensor, reference: Tensor) -> Tensor | None:
    """The same by one k-d tree per cloud; None where a coordinate is not finite, which the tree refuses."""
    from scipy.spatial import cKDTree  # comes with scikit-learn; slow to import

    if not (query.isfinite().all() and reference.isfinite().all()):
        return None
    workers = torch.get_num_threads()
    found = [
        torch.from_numpy(cKDTree(cloud).query(points, workers=workers)[1])
        for points, cloud in zip(query.numpy(), reference.numpy())
    ]
    return torch.stack(found)
