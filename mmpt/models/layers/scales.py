"""A mask drawn on the coarsest of several scales, carried to the finer ones (Point-M2AE, section 3.1)."""

from __future__ import annotations

import torch

from mmpt.structures import Mask, Patches

__all__ = ['back_project', 'finer_scale']


def back_project(mask: Mask, patches: Patches) -> Mask:
    """The mask of ``patches.finer``: a finer patch is visible if a visible patch holds it, and hidden otherwise.

    Neighbouring patches overlap, so a finer patch of a hidden patch may be visible as one of another's; what no patch
    holds is hidden.

    Args:
        mask (Mask): of ``patches``.
        patches (Patches): with finer ones.

    Returns:
        Mask: of ``patches.finer``, where samples hide unequally many.

    Raises:
        ValueError: the patches have no finer ones.
    """
    if patches.finer is None:
        raise ValueError('Patches of one scale have no finer ones; cut them with a HierarchicalPointTransformer.')
    count = torch.zeros(patches.finer.centers.shape[:2], dtype=torch.int64, device=mask.hidden.device)
    members = (~mask.hidden).unsqueeze(-1).expand_as(patches.index).flatten(1)
    held = count.scatter_add_(1, patches.index.flatten(1), members.to(count.dtype)) > 0
    return Mask(~held, None, None)


def finer_scale(patches: Patches, mask: Mask, steps: int) -> tuple[Patches, Mask]:
    """Patches and mask so many scales below."""
    for _ in range(steps):
        mask = back_project(mask, patches)
        patches = patches.finer
    return patches, mask
