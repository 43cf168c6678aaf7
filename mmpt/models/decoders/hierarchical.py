"""From the tokens of the coarsest scale back to those of finer ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmpt.models.layers import (
    FeaturePropagation,
    PositionedBlocks,
    PositionEmbed,
    back_project,
    init_xavier,
    select_hidden,
)
from mmpt.registry import MODELS
from mmpt.structures import Mask, Patches, Tokens

__all__ = ['HierarchicalDecoder']


@MODELS.register_module()
class HierarchicalDecoder(nn.Module):
    """Attention over visible tokens and mask tokens of the coarsest scale, then scale by scale (Point-M2AE).

    A finer scale gets what the coarser one has by interpolation, mixed with its own visible tokens (zeros where a patch
    is hidden) from the encoder's ``levels``. The tokens of the hidden patches of the last scale are kept.

    Args:
        scales (Sequence[Mapping]): ``dim`` and ``depth`` for every scale from the coarsest on, the dims those of the
            encoder; a head's ``scale`` is their number less one.
        num_heads (int): attention heads on every scale.
        drop_path (float): stochastic depth of the last block; those before it, over all scales, rise linearly from 0.
        up_blocks (int): residual blocks of every propagation.
    """

    #: Called with all patches and the mask, not with the centres of hidden patches.
    reads_patches = True

    def __init__(
        self,
        scales: Sequence[Mapping[str, Any]] = ({'dim': 384, 'depth': 1}, {'dim': 192, 'depth': 1}),
        num_heads: int = 6,
        drop_path: float = 0.1,
        up_blocks: int = 1,
    ) -> None:
        super().__init__()
        dims, depths = [scale['dim'] for scale in scales], [scale['depth'] for scale in scales]
        self.mask_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dims[0]), std=0.02))
        self.positions = nn.ModuleList(PositionEmbed(dim, dim) for dim in dims)
        rates = iter(torch.linspace(0, drop_path, sum(depths)).tolist())
        self.stages = nn.ModuleList(
            PositionedBlocks(dim, depth, num_heads, drop_path=[next(rates) for _ in range(depth)])
            for dim, depth in zip(dims, depths)
        )
        self.stages.apply(init_xavier)
        self.ups = nn.ModuleList(FeaturePropagation(fine, coarse, up_blocks) for coarse, fine in zip(dims, dims[1:]))
        self.norm = nn.LayerNorm(dims[-1])

    def forward(self, tokens: Tokens, patches: Patches, mask: Mask) -> Tensor:
        """Predict tokens of hidden patches.

        Args:
            tokens (Tokens): of the visible patches; its last ``levels`` are those of the decoder's finer scales, the
                next coarser one behind.
            patches (Patches): of all scales, the coarsest at the top.
            mask (Mask): of the coarsest scale.

        Returns:
            Tensor: (R, C), the hidden patches of the last scale, sample by sample in ascending order.

        Raises:
            ValueError: the encoder returns fewer finer scales than the decoder has.
        """
        if len(tokens.levels) < len(self.ups):
            raise ValueError(
                f'HierarchicalDecoder goes {len(self.ups)} scales down, the encoder returns tokens of '
                f'{len(tokens.levels)} finer scales: set encoder.levels, or leave scales of the decoder out.'
            )
        batch, count = patches.centers.shape[0], patches.centers.shape[1] - tokens.patch.shape[1]
        hidden = select_hidden(patches.centers, mask).view(batch, count, 3)
        centers = torch.cat([tokens.centers, hidden], dim=1)
        x = torch.cat([tokens.patch, self.mask_token.expand(batch, count, -1).to(tokens.patch.dtype)], dim=1)
        x = self._attend(0, x, centers)
        for number, up in enumerate(self.ups, start=1):
            mask, patches = back_project(mask, patches), patches.finer
            x = up(tokens.levels[-number], patches.centers, x, centers)
            centers = patches.centers
            x = self._attend(number, x, centers)
        # Of a single scale, the hidden patches stand behind the visible ones.
        rows = select_hidden(x, mask) if len(self.ups) else x[:, x.shape[1] - count :].flatten(0, 1)
        return self.norm(rows)

    def _attend(self, number: int, x: Tensor, centers: Tensor) -> Tensor:
        return self.stages[number](x.float(), self.positions[number](centers).float())[0]
