"""The standard point transformer on patches."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from mmpt.models.layers import PositionedBlocks, init_trunc_normal
from mmpt.registry import ENCODERS
from mmpt.structures import Mask, Patches, Tokens

from .patch_encoder import PatchEncoder

__all__ = ['PointTransformer']


@ENCODERS.register_module()
class PointTransformer(PatchEncoder):
    """Patches, a mini-PointNet for each, a transformer over them (Point-BERT arXiv 2111.14819, Point-MAE 2203.06604).

    Masking is a value that flows in: ``encoder(points)`` alone is inference. Which patches are hidden is said by a
    :class:`Mask`; a hidden patch is left out (Point-MAE) or, with ``mask_token=True``, stands in the sequence as a
    learned token that knows its position only (Point-BERT).

    Args:
        in_channels (int): 3 coordinates and F features of a point.
        num_groups (int): G patches.
        group_size (int): S points of a patch.
        dim (int): C.
        depth (int): transformer blocks.
        num_heads (int): attention heads.
        drop_path (float): stochastic depth of the last block.
        cls_token (bool): carry one global token, returned as ``globals['cls']``.
        mask_token (bool): hidden patches become a learned token instead of being left out.
        levels (tuple[int, ...]): blocks whose patch tokens are returned as ``Tokens.levels``, after the final norm.
        patch_widths (tuple[int, int, int]): widths of the mini-PointNet.
        patch_dim (int | None): channels that the mini-PointNet gives, brought to C by one more linear layer
            (Point-BERT); None for a mini-PointNet of C channels without that layer (Point-MAE).
        init (str): ``'trunc_normal'`` (0.02 for all linear layers, Point-MAE) or ``'default'`` (torch's). The former
            keeps patch tokens tiny beside the position for thousands of updates; a short training, and the encoder that
            was never trained, do far better with the latter (docs/architecture.md has the figures).
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_groups: int = 64,
        group_size: int = 32,
        dim: int = 384,
        depth: int = 12,
        num_heads: int = 6,
        drop_path: float = 0.1,
        cls_token: bool = True,
        mask_token: bool = False,
        levels: tuple[int, ...] = (),
        patch_widths: tuple[int, int, int] = (128, 256, 512),
        patch_dim: int | None = None,
        init: Literal['trunc_normal', 'default'] = 'trunc_normal',
    ) -> None:
        super().__init__(in_channels, num_groups, group_size, dim, depth, levels, patch_widths, init, patch_dim)
        self.blocks = PositionedBlocks(dim, depth, num_heads, drop_path=drop_path)
        self.norm = nn.LayerNorm(dim)
        if init == 'trunc_normal':
            self.apply(init_trunc_normal)
        # The names end in `_token` and `_pos` because the parameter groups go by them: tokens are not decayed.
        self.cls_token = self.cls_pos = self.mask_token = None
        if cls_token:
            self.cls_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))
            self.cls_pos = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))
        if mask_token:
            self.mask_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))

    def forward(self, inputs: Tensor | Patches, mask: Mask | None = None, embedded: Tensor | None = None) -> Tokens:
        """Encode clouds.

        Args:
            inputs (Tensor | Patches): (B, N, 3 + F) points, or patches already cut.
            mask (Mask | None): which patches are hidden; None hides nothing.
            embedded (Tensor | None): (B, G, C) result of :meth:`embed` on the same patches, where it exists already.

        Returns:
            Tokens: (B, V, C) visible patch tokens after the final norm, with their centres; with ``mask_token`` all
            G tokens.

        Raises:
            ValueError: samples hide unequally many patches and hidden patches are left out.
        """
        patches = inputs if isinstance(inputs, Patches) else self.group(inputs)
        tokens = self.embed(patches) if embedded is None else embedded
        centers = patches.centers
        if mask is not None:
            tokens, centers = self._hide(tokens, centers, mask)
        # The stream that the blocks add to stays float32 under autocast.
        tokens, position = tokens.float(), self.position(centers).float()
        if self.cls_token is not None:
            batch = tokens.shape[0]
            tokens = torch.cat([self.cls_token.expand(batch, -1, -1), tokens], dim=1)
            position = torch.cat([self.cls_pos.expand(batch, -1, -1), position], dim=1)
        tokens, outputs = self.blocks(tokens, position, self.levels)
        tokens, levels = self.norm(tokens), [self.norm(output) for output in outputs]
        if self.cls_token is None:
            return Tokens(tokens, centers, {}, tuple(levels))
        return Tokens(tokens[:, 1:], centers, {'cls': tokens[:, 0]}, tuple(level[:, 1:] for level in levels))

    def _hide(self, tokens: Tensor, centers: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        if self.mask_token is not None:
            return torch.where(mask.hidden.unsqueeze(-1), self.mask_token.to(tokens.dtype), tokens), centers
        return self.leave_out(tokens, centers, mask, ', or build the encoder with mask_token=True')
