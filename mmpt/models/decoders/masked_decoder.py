"""The light decoder that turns visible tokens and empty places into tokens of the hidden patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmpt.models.layers import PositionedBlocks, PositionEmbed, init_xavier
from mmpt.registry import MODELS
from mmpt.structures import Tokens

__all__ = ['MaskedDecoder']


@MODELS.register_module()
class MaskedDecoder(nn.Module):
    """Visible tokens, then one learned token a hidden patch; attention; the hidden places are kept (Point-MAE).

    Args:
        dim (int): C, that of the encoder.
        depth (int): blocks.
        num_heads (int): attention heads.
        drop_path (float): stochastic depth of the last block.
    """

    def __init__(self, dim: int = 384, depth: int = 4, num_heads: int = 6, drop_path: float = 0.1) -> None:
        super().__init__()
        self.mask_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))
        self.position = PositionEmbed(dim)
        self.blocks = PositionedBlocks(dim, depth, num_heads, drop_path=drop_path)
        self.blocks.apply(init_xavier)
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tokens, hidden_centers: Tensor) -> Tensor:
        """Predict the hidden patches' tokens.

        Args:
            tokens (Tokens): (B, V, C) visible patch tokens with their centres.
            hidden_centers (Tensor): (B, M, 3).

        Returns:
            Tensor: (B, M, C), in the order of ``hidden_centers``.
        """
        batch, count = hidden_centers.shape[:2]
        x = torch.cat([tokens.patch, self.mask_token.expand(batch, count, -1).to(tokens.patch.dtype)], dim=1)
        position = self.position(torch.cat([tokens.centers, hidden_centers], dim=1))
        x, _ = self.blocks(x, position)
        return self.norm(x[:, x.shape[1] - count :])
