"""The transformer trunk shared by encoders and decoders."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

__all__ = ['PositionedBlocks', 'init_trunc_normal', 'init_xavier']


class PositionedBlocks(nn.ModuleList):
    """Pre-norm blocks (timm's), the position embedding added to the input of **every** block (METHODS 3).

    Args:
        dim (int): C.
        depth (int): number of blocks.
        num_heads (int): attention heads.
        drop_path (float | Sequence[float]): stochastic depth of the last block, to which the blocks before it rise
            linearly from 0; or of every block.
        mlp_ratio (float): hidden width of the MLP over C.
        qkv_bias (bool): bias of the query / key / value projection; the ancestors have none.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        *,
        drop_path: float | Sequence[float] = 0.0,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
    ) -> None:
        if dim % num_heads:
            raise ValueError(f'PositionedBlocks: dim {dim} is not a multiple of num_heads {num_heads}.')
        rates = torch.linspace(0, drop_path, depth).tolist() if isinstance(drop_path, (int, float)) else drop_path
        if len(rates) != depth:
            raise ValueError(f'PositionedBlocks: drop_path has {len(rates)} rates for {depth} blocks.')
        super().__init__(
            Block(dim, num_heads, mlp_ratio=mlp_ratio, qkv_bias=qkv_bias, drop_path=rate, norm_layer=nn.LayerNorm)
            for rate in rates
        )

    def forward(
        self, x: Tensor, position: Tensor, levels: tuple[int, ...] = (), allowed: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Run the blocks.

        Args:
            x (Tensor): (B, L, C).
            position (Tensor): (B, L, C).
            levels (tuple[int, ...]): block indices whose outputs are returned as well.
            allowed (Tensor | None): (B, 1, L or 1, L) bool, which tokens (last axis) a token may attend to, at least
                one each; None for all.

        Returns:
            tuple[Tensor, list[Tensor]]: the last output and the outputs asked for, all (B, L, C).
        """
        kept = []
        for index, block in enumerate(self):
            x = block(x + position, attn_mask=allowed)
            if index in levels:
                kept.append(x)
        return x, kept


def init_trunc_normal(module: nn.Module) -> None:
    """Truncated normal 0.02 weights, zero biases; for ``Module.apply``."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def init_xavier(module: nn.Module) -> None:
    """Xavier-uniform weights, zero biases; for ``Module.apply`` (the decoder blocks of Point-MAE)."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
